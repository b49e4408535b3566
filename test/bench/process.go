package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/probeshift/probeshift/test/apiserver"
)

// kind is a server to measure.
type kind struct {
	name string
	// command starts it on 127.0.0.1:port with the certificate in certDir.
	command func(ctx context.Context, certDir string, port, healthPort int) *exec.Cmd
	// rewrites and marks say what a right answer does to a Pod with probes of
	// the tool: make them native where that can be, write our annotation.
	rewrites, marks bool
	// probed servers have a /readyz on the health port.
	probed bool
	// share is the part of a round's requests that it gets.
	share float64
}

// kinds are the servers, in the order of the tables: floor, textbook, ours.
func kinds(webhook string, p plan) ([]kind, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding the own program: %w", err)
	}
	if _, err := exec.LookPath(webhook); err != nil {
		return nil, fmt.Errorf("no webhook to measure, run make build: %w", err)
	}
	own := func(mode string) func(context.Context, string, int, int) *exec.Cmd {
		return func(ctx context.Context, certDir string, port, _ int) *exec.Cmd {
			return exec.CommandContext(ctx, self, mode, "--cert-dir", certDir, "--port", strconv.Itoa(port))
		}
	}
	product := func(ctx context.Context, certDir string, port, healthPort int) *exec.Cmd {
		return exec.CommandContext(ctx, webhook,
			"--certs=files", "--cert-dir", certDir, "--port", strconv.Itoa(port),
			"--metrics-bind-address", "0",
			"--health-probe-bind-address", net.JoinHostPort("127.0.0.1", strconv.Itoa(healthPort)))
	}
	return []kind{
		{name: "floor", command: own("serve-floor"), share: 1},
		{name: "textbook", command: own("serve-textbook"), share: p.textbookShare, rewrites: true},
		{name: "ours", command: product, share: 1, rewrites: true, marks: true, probed: true},
	}, nil
}

// process is a running server.
type process struct {
	kind
	port, healthPort int
	// ready is how long it took from its start to a right answer and, where it
	// has one, a /readyz that says so.
	ready   time.Duration
	command *exec.Cmd
	output  *apiserver.Tail
	// ended is closed once it has ended, with problem.
	ended   chan struct{}
	problem error
}

// startProcess starts a server and waits until it answers a review rightly.
func startProcess(ctx context.Context, k kind, cert certificate, first review) (*process, error) {
	ports, err := freePorts(ctx, 2)
	if err != nil {
		return nil, err
	}
	p := &process{kind: k, port: ports[0], healthPort: ports[1], output: &apiserver.Tail{}, ended: make(chan struct{})}
	p.command = k.command(ctx, cert.dir, p.port, p.healthPort)
	p.command.Stdout, p.command.Stderr = p.output, p.output

	caller := newCaller(cert, 1)
	defer caller.close()
	begin := time.Now()
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", k.name, err)
	}
	go func() {
		p.problem = p.command.Wait()
		close(p.ended)
	}()

	if err := p.waitReady(ctx, caller, first); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	p.ready = time.Since(begin)
	return p, nil
}

// waitReady asks every other millisecond until the server answers.
func (p *process) waitReady(ctx context.Context, caller *caller, first review) error {
	const limit = time.Minute
	deadline := time.After(limit)
	for {
		answer, problem := caller.send(ctx, p.url(), first.body)
		if problem == nil {
			problem = checkAnswer(p.kind, first, answer)
		}
		if problem == nil && p.probed {
			problem = readyz(ctx, p.healthPort)
		}
		if problem == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended instead of serving: %w\n%s", p.name, p.problem, p.output)
		case <-deadline:
			return fmt.Errorf("%s is not ready after %s: %w\n%s", p.name, limit, problem, p.output)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// url is where the server takes reviews.
func (p *process) url() string {
	return fmt.Sprintf("https://127.0.0.1:%d%s", p.port, mutatePath)
}

// stop ends the server at once: nothing is in flight here, and a graceful end
// would be the webhook's drain of many seconds.
func (p *process) stop() error {
	if err := p.command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("ending %s: %w", p.name, err)
	}
	<-p.ended
	return nil
}

// cpu is the CPU time that the process has used, all threads together. Linux
// keeps it in nanoseconds behind the clock whose number is made of the process
// id (clock_getcpuclockid); /proc/PID/stat rounds it to 10 ms.
func (p *process) cpu() (time.Duration, error) {
	const schedulerClock = 2
	clock := ^int32(p.command.Process.Pid)<<3 | schedulerClock
	var used unix.Timespec
	if err := unix.ClockGettime(clock, &used); err != nil {
		return 0, fmt.Errorf("reading the CPU time of %s: %w", p.name, err)
	}
	return time.Duration(used.Nano()), nil
}

// resident is a line of /proc/PID/status in bytes: VmRSS for now, VmHWM for the
// most there ever was.
func (p *process) resident(line string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("reading the memory of %s: %w", p.name, err)
	}
	for text := range strings.Lines(string(status)) {
		fields := strings.Fields(text)
		if len(fields) == 3 && fields[0] == line+":" {
			kilobytes, err := strconv.ParseInt(fields[1], 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("no %s in the status of %s", line, p.name)
}

// readyz says why a server does not call itself ready.
func readyz(ctx context.Context, port int) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/readyz", port), http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("asking /readyz: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz says %s", response.Status)
	}
	return nil
}

// freePorts are ports of 127.0.0.1 that nobody listens on.
func freePorts(ctx context.Context, n int) ([]int, error) {
	var ports []int
	for range n {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		defer listener.Close() //nolint:gocritic // all are held to the end, so that they differ
		address, err := netip.ParseAddrPort(listener.Addr().String())
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		ports = append(ports, int(address.Port()))
	}
	return ports, nil
}
