package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/probeshift/probeshift/pkg/admission"
	"github.com/probeshift/probeshift/test/apiserver"
)

// process is a running program whose cost is measured.
type process struct {
	command *exec.Cmd
	output  *apiserver.Tail
	// ended is closed once it has ended, with problem.
	ended   chan struct{}
	problem error
}

// startProcess starts a program. What it prints is kept for an error, unless out
// takes it.
func startProcess(ctx context.Context, out *os.File, program string, arguments ...string) (*process, error) {
	p := &process{command: exec.CommandContext(ctx, program, arguments...), output: &apiserver.Tail{}, ended: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = p.output, p.output
	// As the component's Deployment has it.
	p.command.Env = append(os.Environ(), "GOGC=25")
	if out != nil {
		p.command.Stdout = out
	}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s, which make build leaves in bin: %w", program, err)
	}
	go func() {
		p.problem = p.command.Wait()
		close(p.ended)
	}()
	return p, nil
}

// stop ends the process as a kubelet does.
func (p *process) stop() error {
	_ = p.command.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		return fmt.Errorf("%s runs on after SIGTERM\n%s", p.command.Path, p.output)
	}
	if p.problem != nil {
		return fmt.Errorf("%s ended: %w\n%s", p.command.Path, p.problem, p.output)
	}
	return nil
}

// cpu is the CPU time that the process has used, of all threads together. Linux
// keeps it behind the clock whose number is made of the process id
// (clock_getcpuclockid).
func (p *process) cpu() (time.Duration, error) {
	const schedulerClock = 2
	clock := ^int32(p.command.Process.Pid)<<3 | schedulerClock
	var used unix.Timespec
	if err := unix.ClockGettime(clock, &used); err != nil {
		return 0, fmt.Errorf("reading the CPU time: %w", err)
	}
	return time.Duration(used.Nano()), nil
}

// resident is a line of /proc/PID/status in bytes: VmRSS for now, VmHWM for the
// most since forget.
func (p *process) resident(line string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("reading the memory: %w", err)
	}
	for text := range strings.Lines(string(status)) {
		fields := strings.Fields(text)
		if len(fields) == 3 && fields[0] == line+":" {
			kilobytes, err := strconv.ParseInt(fields[1], 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("no %s in the status", line)
}

// forget has VmHWM begin anew.
func (p *process) forget() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.command.Process.Pid), []byte("5"), 0)
}

// discovery is a process of the webhook that runs discovery.
type discovery struct {
	*process
	address, metrics, admission string
	roots                       *x509.CertPool
}

// startDiscovery starts one and waits until it is ready. What it runs, and further
// flags, are given.
func startDiscovery(ctx context.Context, client kubernetes.Interface, webhook, kubeconfig, what string, flags ...string) (*discovery, error) {
	ports, err := freePorts(ctx, 4)
	if err != nil {
		return nil, err
	}
	at := func(i int) string { return net.JoinHostPort("127.0.0.1", ports[i]) }
	d := &discovery{address: at(0), metrics: "http://" + at(1) + "/metrics", admission: "https://" + at(3) + admission.MutatePath}
	d.process, err = startProcess(ctx, nil, webhook, append([]string{
		"--run=" + what, "--kubeconfig", kubeconfig, "--namespace", system, "--bind-address=127.0.0.1",
		"--discovery-port", ports[0], "--metrics-bind-address", at(1), "--health-probe-bind-address", at(2),
		"--discovery-settle-time=1s", "--port", ports[3],
	}, flags...)...)
	if err != nil {
		return nil, err
	}
	if err := d.waitReady(ctx, "http://"+at(2)+"/readyz"); err != nil {
		return nil, errors.Join(err, d.stop())
	}
	trust, err := client.CoreV1().ConfigMaps(system).Get(ctx, "probeshift-discovery-ca", metav1.GetOptions{})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the CA of discovery: %w", err), d.stop())
	}
	d.roots = x509.NewCertPool()
	d.roots.AppendCertsFromPEM([]byte(trust.Data["ca.crt"]))
	return d, nil
}

func (d *discovery) waitReady(ctx context.Context, url string) error {
	const limit = time.Minute
	deadline := time.After(limit)
	for {
		if _, err := get(ctx, url); err == nil {
			return nil
		}
		select {
		case <-d.ended:
			return fmt.Errorf("discovery ended instead of serving: %w", d.problem)
		case <-deadline:
			return fmt.Errorf("discovery is not ready after %s\n%s", limit, d.output)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// metric is the sum of a metric's series whose text begins with prefix.
func (d *discovery) metric(ctx context.Context, prefix string) (float64, error) {
	text, err := get(ctx, d.metrics)
	if err != nil {
		return 0, err
	}
	var sum float64
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, prefix) {
			continue
		}
		fields := strings.Fields(line)
		value, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			return 0, fmt.Errorf("reading the metric %q: %w", line, err)
		}
		sum += value
	}
	return sum, nil
}

func get(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s says %s", url, response.Status)
	}
	return string(body), err
}

// freePorts are ports of 127.0.0.1 that nobody listens on.
func freePorts(ctx context.Context, n int) ([]string, error) {
	var ports []string
	for range n {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		defer listener.Close() //nolint:gocritic // all are held to the end, so that they differ
		_, number, err := net.SplitHostPort(listener.Addr().String())
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		ports = append(ports, number)
	}
	return ports, nil
}
