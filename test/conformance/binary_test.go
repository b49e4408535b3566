package conformance

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/probeshift/probeshift/pkg/reason"
)

const (
	// maxWait is the longest that a line which the binary runs may wait.
	maxWait = 200 * time.Millisecond
	// atOnce is how many binaries run at the same time.
	atOnce = 64
)

// The oracle is the tool's code with a few words replaced. The released binary
// has none replaced, so it shows that the oracle, and with it the reading, is
// right: it exits with 1 for what it refuses and with 2 once it has tried to
// connect to a port on which nobody listens.
func TestTheReleasedBinaryExitsAsTheLineIsRead(t *testing.T) {
	g, tool, binary := newGenerator(seed()+1), newOracle(t), buildTool(t, toolVersion)
	row := count{what: "the released binary"}
	lines, answers := quietLines(t, g, tool, *binaryCount)
	statuses := make([]int, len(lines))
	var wait sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for i, l := range lines {
		places <- struct{}{}
		wait.Go(func() {
			statuses[i] = exitStatus(t, binary, kubeletExpand(l.Args, l.Env))
			<-places
		})
	}
	wait.Wait()
	for i, l := range lines {
		reading := l.read()
		row.judged(reading)
		if statuses[i] == answers[i].Exit && fits(reading.Reason, statuses[i]) {
			continue
		}
		row.differences++
		t.Errorf("read as %q, exit status %d by the oracle and %d by the binary:\n%s", reading.Reason, answers[i].Exit, statuses[i], kept(keptCase{Command: l.command(), Env: l.Env}))
	}
	totals.add(row)
}

// fits says whether a reading allows for an exit status.
func fits(code reason.Code, status int) bool {
	switch code {
	case reason.AlwaysSucceeds:
		return status == 0
	case reason.AlwaysFails:
		return status != 0
	default:
		return status == 2 || code == reason.SPIFFE && status == 20 || status == 1 && (code == reason.TLSVerified || code == reason.ClientCertificate)
	}
}

// quietLines makes lines that a binary may run here: they are soon over, and
// dial nothing but a port of this machine on which nobody listens.
func quietLines(t *testing.T, g generator, tool *oracle, n int) (lines []line, answers []answer) {
	t.Helper()
	closed := closedPort(t)
	ports := strings.NewReplacer("50051", closed, "8080", closed, "9090", closed, "443", closed, "65535", closed, "https", closed, "http", closed)
	for len(lines) < n {
		batch := make([]line, 0, 1000)
		for range cap(batch) {
			l := g.line()
			for i, arg := range l.Args {
				l.Args[i] = ports.Replace(arg)
			}
			l.Args = append([]string{"-connect-timeout=100ms", "--rpc-timeout=100ms"}, l.Args...)
			batch = append(batch, l)
		}
		for i, a := range judgeLines(t, tool, batch) {
			if len(lines) < n && isQuiet(a, closed) {
				lines, answers = append(lines, batch[i]), append(answers, a)
			}
		}
	}
	return lines, answers
}

func isQuiet(a answer, port string) bool {
	if a.Accepted && (a.ConnectTimeout > maxWait || a.RPCTimeout > maxWait || a.Names) {
		return false
	}
	for _, socket := range a.Sockets {
		here := strings.HasPrefix(socket, "tcp4 127.0.0.1:") || strings.HasPrefix(socket, "tcp4 :") || strings.HasPrefix(socket, "tcp4 0.0.0.0:") ||
			strings.HasPrefix(socket, "tcp6 [::1]:") || strings.HasPrefix(socket, "tcp6 [::]:")
		if !here || !strings.HasSuffix(socket, ":"+port) {
			return false
		}
	}
	return true
}

// closedPort returns a port on which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

// exitStatus runs the tool; -1 stands for one that did not end by itself.
func exitStatus(t *testing.T, binary string, args []string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = []string{"PATH=/nowhere"}
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Errorf("run the tool with %q: %v", args, err)
	}
	return cmd.ProcessState.ExitCode()
}
