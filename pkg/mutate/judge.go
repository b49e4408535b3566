package mutate

import (
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/healthprobe"
	"github.com/probeshift/probeshift/pkg/reason"
)

// judge decides about the probes of one Pod.
type judge struct {
	pod      *corev1.Pod
	switches switches
	prior    status
	reader   healthprobe.Reader
	// mesh names what makes the Pod part of a mesh, or is empty.
	mesh string
}

func newJudge(pod *corev1.Pod, s switches, prior status) judge {
	return judge{
		pod:      pod,
		switches: s,
		prior:    prior,
		mesh:     meshOf(pod, s.MeshProxies),
		reader: healthprobe.Reader{
			ToolNames: s.ToolNames,
			// Istio's agent, should it take the probe over, asks in plaintext.
			TLSProbes: s.TLSProbes && s.IgnoreMesh,
			IPv6:      s.IPv6,
		}.ForMany(),
	}
}

// site is one probe of the Pod.
type site struct {
	container *corev1.Container
	kind      ProbeKind
	probe     *corev1.Probe
	// path is the JSON pointer of the probe.
	path string
	// leftover says that the grpc handler is the one we wrote in an earlier call,
	// and that somebody has written an exec handler beside it since. The API
	// server would refuse the Pod for having both.
	leftover bool
}

// verdict is what was decided at one site.
type verdict struct {
	site site
	// finding is nil for a probe of ours that an earlier call rewrote.
	finding *Finding
	// entry is what the status annotation says of the site.
	entry entry
}

// all judges every probe and returns those that are ours.
func (j judge) all() []verdict {
	var verdicts []verdict
	visitProbes(j.pod, func(s site) {
		if v, ours := j.one(s); ours {
			verdicts = append(verdicts, v)
		}
	})
	return verdicts
}

// visitProbes calls visit for each probe of the containers and of the native
// sidecars, which are init containers with restartPolicy Always.
func visitProbes(pod *corev1.Pod, visit func(site)) {
	visitContainer := func(c *corev1.Container, list string, i int) {
		for _, p := range []struct {
			kind  ProbeKind
			probe *corev1.Probe
		}{{Liveness, c.LivenessProbe}, {Readiness, c.ReadinessProbe}, {Startup, c.StartupProbe}} {
			if p.probe != nil {
				visit(site{container: c, kind: p.kind, probe: p.probe, path: "/spec/" + list + "/" + strconv.Itoa(i) + "/" + string(p.kind) + "Probe"})
			}
		}
	}
	for i := range pod.Spec.Containers {
		visitContainer(&pod.Spec.Containers[i], "containers", i)
	}
	for i := range pod.Spec.InitContainers {
		if isNativeSidecar(&pod.Spec.InitContainers[i]) {
			visitContainer(&pod.Spec.InitContainers[i], "initContainers", i)
		}
	}
}

func isNativeSidecar(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// one judges one probe; ours is false for probes that are none of the tool's.
func (j judge) one(s site) (v verdict, ours bool) {
	prior := j.prior.at(s)
	if s.probe.Exec == nil {
		if !prior.wrote(s.probe) {
			return verdict{}, false
		}
		if j.mesh != "" && !j.switches.IgnoreMesh && j.switches.rewrite {
			return j.restore(s, prior), true
		}
		return verdict{site: s, entry: prior}, true
	}
	reading := j.reader.Read(s.probe.Exec.Command, healthprobe.Container{
		Env:                s.container.Env,
		HostNetwork:        j.pod.Spec.HostNetwork,
		HostnameOverridden: j.pod.Spec.HostnameOverride != nil,
		Template:           j.switches.Template,
	})
	s.leftover = prior.besideExec(s.probe)
	if !reading.Ours && !s.leftover {
		return verdict{}, false
	}
	f := &Finding{
		Container:      s.container.Name,
		Probe:          s.kind,
		Command:        s.probe.Exec.Command,
		TimeoutSeconds: s.probe.TimeoutSeconds,
	}
	if s.leftover && f.TimeoutSeconds == prior.written() {
		f.TimeoutSeconds = prior.TimeoutSeconds
	}
	f.Reason, f.Detail = j.reason(s, reading)
	switch {
	case f.Reason != reason.None:
		f.Outcome = Skipped
	default:
		f.Outcome = WouldRewrite
		if j.switches.rewrite {
			f.Outcome = Rewritten
		}
		f.GRPC = nativeProbe(reading.Check)
		f.NewTimeoutSeconds = nativeTimeout(f.TimeoutSeconds, reading.Check.Budget)
	}
	if f.Reason == reason.Mesh && prior.Outcome == Restored && slices.Equal(prior.Exec, f.Command) {
		f.Outcome = Restored
	}
	// A rewritten probe is no exec probe any more: an entry that says so of this
	// one was not written for this Pod.
	f.Known = f.Outcome != Rewritten && prior.tells(f)
	return verdict{site: s, finding: f, entry: newEntry(f)}, true
}

// reason is the first reason that applies, in the order of package reason.
func (j judge) reason(s site, reading healthprobe.Reading) (code reason.Code, detail string) {
	check := reading.Check
	if handlers(s.probe) > 1 && !s.leftover || !reading.Ours {
		return reason.InvalidProbe, ""
	}
	if reading.Reason != reason.None {
		return reading.Reason, reading.Detail
	}
	if j.switches.SkipBarePods && !j.switches.Template && metav1.GetControllerOfNoCopy(j.pod) == nil {
		return reason.BarePod, ""
	}
	if j.mesh != "" && !j.switches.IgnoreMesh {
		return reason.Mesh, j.mesh
	}
	if wrongFamily(check.Host, j.switches.IPv6) && !j.switches.IgnoreIPFamily {
		return reason.IPFamily, ""
	}
	if name, aliased := aliasOf(j.pod, check.Host); aliased {
		return reason.RemoteAddress, "hostAliases name " + name
	}
	if code := unreachable(j.pod, check); code != reason.None && !j.switches.AnyPort {
		return code, fmt.Sprintf("port %d", check.Port)
	}
	if j.switches.off {
		return reason.SwitchedOff, ""
	}
	return reason.None, ""
}

// handlers counts the handlers of a probe; the API server takes exactly one.
func handlers(p *corev1.Probe) int {
	n := 0
	for _, there := range []bool{p.Exec != nil, p.HTTPGet != nil, p.TCPSocket != nil, p.GRPC != nil} {
		if there {
			n++
		}
	}
	return n
}

// nativeProbe is the kubelet's form of a check. The service is always written
// out, as the API server's default would.
func nativeProbe(check healthprobe.Check) *corev1.GRPCAction {
	action := &corev1.GRPCAction{Port: check.Port, Service: &check.Service}
	if check.TLS {
		mode := corev1.GRPCProbeModeTLS
		action.Mode = &mode
	}
	return action
}
