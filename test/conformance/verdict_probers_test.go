package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	remote "k8s.io/cri-client/pkg"
	"k8s.io/kubernetes/pkg/probe"
	execprobe "k8s.io/kubernetes/pkg/probe/exec"
	grpcprobe "k8s.io/kubernetes/pkg/probe/grpc"
	utilexec "k8s.io/utils/exec"
)

// verdict is what the kubelet makes of one probe.
type verdict struct {
	pass bool
	text string
}

// kubelet runs probes as the kubelet's prober does, with its own code for both
// kinds (k8s.io/kubernetes, pkg/probe).
type kubelet struct {
	// path is the PATH in which the tool is.
	path string
	// podIP and podIPv6 are the Pod's addresses.
	podIP, podIPv6 string
}

// newKubelet makes one in whose containers a release of the tool is installed.
func newKubelet(t *testing.T, version string) kubelet {
	t.Helper()
	dir := t.TempDir()
	if err := os.Symlink(buildTool(t, version), filepath.Join(dir, "grpc_health_probe")); err != nil {
		t.Fatal(err)
	}
	return kubelet{path: dir + ":/usr/local/bin:/usr/bin:/bin", podIP: podIPHere, podIPv6: podIPv6Here(t)}
}

// address is the Pod's primary one.
func (k kubelet) address(ipv6 bool) string {
	if ipv6 {
		return k.podIPv6
	}
	return k.podIP
}

// exec runs an exec probe.
func (k kubelet) exec(ctx context.Context, l legacy) verdict {
	env := []string{"PATH=" + k.path}
	for _, variable := range l.env {
		value := variable.Value
		if variable.ValueFrom != nil {
			value = k.address(l.where.ipv6)
		}
		env = append(env, variable.Name+"="+value)
	}
	result, text, err := execprobe.New().Probe(&inContainer{
		ctx: ctx, command: kubeletExpand(l.command, l.env), env: env, path: k.path,
		timeout: time.Duration(l.timeoutSeconds) * time.Second,
	})
	if err != nil { // the kubelet tries again and then calls it a failure
		text += err.Error()
	}
	return verdict{err == nil && result == probe.Success, text}
}

// grpc runs a native probe.
func (k kubelet) grpc(action *corev1.GRPCAction, timeoutSeconds int32, ipv6 bool) verdict {
	options := grpcprobe.ProbeOptions{UseTLS: action.Mode != nil && *action.Mode == corev1.GRPCProbeModeTLS}
	result, text, err := grpcprobe.New().Probe(k.address(ipv6), *action.Service, int(action.Port), time.Duration(timeoutSeconds)*time.Second, options)
	return verdict{err == nil && result == probe.Success, text}
}

// inContainer stands for a command that a container runtime runs: it ends it at
// its timeout and then answers DeadlineExceeded, which the CRI client turns into
// ErrCommandTimedOut.
type inContainer struct {
	utilexec.Cmd // what the prober does not call

	ctx          context.Context
	command, env []string
	path         string
	timeout      time.Duration
	out          io.Writer
}

func (c *inContainer) SetStdout(out io.Writer) { c.out = out }
func (c *inContainer) SetStderr(out io.Writer) { c.out = out }
func (c *inContainer) Wait() error             { return nil }

// Start runs the command to its end, as that of the kubelet does.
func (c *inContainer) Start() error {
	ctx, cancel := context.WithTimeout(c.ctx, c.timeout)
	defer cancel()
	program, err := look(c.command[0], c.path)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, c.command[1:]...)
	var out bytes.Buffer
	cmd.Args[0], cmd.Env, cmd.Stdout, cmd.Stderr = c.command[0], c.env, &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	const forItsOutput = 100 * time.Millisecond
	cmd.WaitDelay = forItsOutput
	err = cmd.Run()
	if _, failed := c.out.Write(out.Bytes()); failed != nil {
		return failed
	}
	exit := (*exec.ExitError)(nil)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w: after %s", remote.ErrCommandTimedOut, c.timeout)
	case errors.As(err, &exit):
		return utilexec.CodeExitError{Err: err, Code: exit.ExitCode()}
	}
	return err
}

// look finds a program in the folders of a PATH that is not this process's.
func look(name, path string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		if program := filepath.Join(dir, name); exists(program) {
			return program, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, exec.ErrNotFound)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// asked is the native probe that a probe which a rule leaves alone would be.
func (l legacy) asked(port string) *corev1.GRPCAction {
	number, _ := strconv.Atoi(port) // it is that of a listener
	action := &corev1.GRPCAction{Port: int32(number), Service: &l.service}
	if l.tls {
		mode := corev1.GRPCProbeModeTLS
		action.Mode = &mode
	}
	return action
}
