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
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/test/apiserver"
)

// pod is a patched Pod whose sidecar runs as the kubelet would run it.
type pod struct {
	*corev1.Pod
	sidecar corev1.Container
	// ip is the Pod's address.
	ip      netip.Addr
	process *exec.Cmd
	output  *apiserver.Tail
	ended   chan struct{}
	// ready is how long it took from the start of the process until the
	// startup probe passed.
	ready time.Duration
	// patchSize is how long the patch is, in bytes.
	patchSize int
}

// run writes the files that a Pod's containers share and starts the sidecar,
// without waiting for it.
func (b *bed) run(ctx context.Context, patched *corev1.Pod) (*pod, error) {
	i := slices.IndexFunc(patched.Spec.InitContainers, func(c corev1.Container) bool {
		return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
	})
	if i != 0 {
		return nil, errors.New("the patched Pod has no native sidecar in the first place")
	}
	p := &pod{Pod: patched, sidecar: patched.Spec.InitContainers[0], ip: podIP}
	if err := b.writePodFiles(patched.Namespace, patched.Spec.HostAliases); err != nil {
		return nil, err
	}
	if err := setSysctls(patched); err != nil {
		return nil, err
	}
	b.pods = append(b.pods, p)
	err := p.start(ctx)
	return p, err
}

// writePodFiles writes the files that all containers of a Pod in a namespace
// share.
func (b *bed) writePodFiles(in string, aliases []corev1.HostAlias) error {
	for name, content := range map[string]string{"hosts": hostsFile(aliases), "resolv.conf": resolvConf(in)} {
		// In place, so that what is mounted elsewhere changes too.
		if err := os.WriteFile(filepath.Join(place, name), []byte(content), 0o644); err != nil { //nolint:gosec // every user of a Pod reads it
			return err
		}
	}
	return nil
}

// start starts the sidecar's process, as the kubelet does at first and after
// each of its ends.
func (p *pod) start(ctx context.Context) error {
	variables := environment(p.sidecar, p.Labels, p.ip)
	var words []string
	for _, word := range slices.Concat(p.sidecar.Command, p.sidecar.Args) {
		words = append(words, expand(word, variables))
	}
	if len(p.sidecar.Command) > 0 {
		words = words[1:] // the program is the bed's copy of Envoy
	}
	p.process = exec.CommandContext(ctx, filepath.Join(place, "envoy"), words...)
	p.process.Dir = "/"
	p.process.Env = []string{"PATH=/usr/bin:/bin"}
	for name, value := range variables {
		p.process.Env = append(p.process.Env, name+"="+value)
	}
	if user := p.sidecar.SecurityContext; user != nil && user.RunAsUser != nil {
		id := uint32(*user.RunAsUser) //nolint:gosec // a user's id fits
		p.process.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id, NoSetGroups: true}}
	}
	var err error
	if p.output, p.ended, err = launch(p.process); err != nil {
		return fmt.Errorf("starting Envoy: %w", err)
	}
	return nil
}

// waitStarted asks what the startup probe asks until it passes.
func (p *pod) waitStarted(ctx context.Context) error {
	const limit = time.Minute
	probe := p.sidecar.StartupProbe
	if probe == nil || probe.HTTPGet == nil {
		return errors.New("the sidecar has no HTTP startup probe")
	}
	url := "http://" + net.JoinHostPort(p.ip.String(), probe.HTTPGet.Port.String()) + probe.HTTPGet.Path
	took, err := until(ctx, limit, func() bool {
		select {
		case <-p.ended:
			return true
		default:
			return statusOf(ctx, url) == http.StatusOK
		}
	})
	if err != nil {
		return fmt.Errorf("the sidecar is not ready %w: %s", err, p.output)
	}
	if statusOf(ctx, url) != http.StatusOK {
		return fmt.Errorf("the sidecar ended: %s", p.output)
	}
	p.ready = took
	return nil
}

// stop ends the sidecar at once.
func (p *pod) stop() error {
	if err := p.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	return nil
}

// statusOf is the status of a GET, 0 when there is no answer.
func statusOf(ctx context.Context, url string) int {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// hostsFile is /etc/hosts as the kubelet writes it for a Pod
// (pkg/kubelet/kubelet_pods.go, managedHostsFileContent).
func hostsFile(aliases []corev1.HostAlias) string {
	var file strings.Builder
	file.WriteString("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	fmt.Fprintf(&file, "%s\tclient\n", podIP)
	if len(aliases) > 0 {
		file.WriteString("\n# Entries added by HostAliases.\n")
	}
	for _, alias := range aliases {
		fmt.Fprintf(&file, "%s\t%s\n", alias.IP, strings.Join(alias.Hostnames, "\t"))
	}
	return file.String()
}

// resolvConf is /etc/resolv.conf as the kubelet writes it with the dnsPolicy
// ClusterFirst.
func resolvConf(in string) string {
	return fmt.Sprintf("search %[1]s.svc.%[2]s svc.%[2]s %[2]s\nnameserver %[3]s\noptions ndots:5\n", in, clusterDomain, nameserverIP)
}

// setSysctls sets what the Pod asks for in its network namespace.
func setSysctls(patched *corev1.Pod) error {
	if patched.Spec.SecurityContext == nil {
		return nil
	}
	for _, sysctl := range patched.Spec.SecurityContext.Sysctls {
		path := "/proc/sys/" + strings.ReplaceAll(sysctl.Name, ".", "/")
		if err := os.WriteFile(path, []byte(sysctl.Value), 0o600); err != nil {
			return fmt.Errorf("setting %s: %w", sysctl.Name, err)
		}
	}
	return nil
}

// resident is how much memory of the process is its own and how much there is
// in all, in bytes (RssAnon and VmRSS).
func (p *pod) resident() (own, all int64, err error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.process.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			continue
		}
		kilobytes, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			continue
		}
		switch fields[0] {
		case "RssAnon:":
			own = kilobytes << 10
		case "VmRSS:":
			all = kilobytes << 10
		}
	}
	return own, all, nil
}
