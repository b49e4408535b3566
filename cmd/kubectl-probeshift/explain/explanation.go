package explain

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/healthprobe"
	"github.com/probeshift/probeshift/pkg/manifest"
	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/reason"
)

// Explanation is what is told of one probe.
type Explanation struct {
	// Place is where the probe stands, empty for a command alone.
	Place   string   `json:"place,omitempty"`
	Command []string `json:"command,omitempty"`
	Steps   []step   `json:"steps,omitempty"`
	Result  result   `json:"result"`
}

// step is one step of the reading or of the judgement.
type step struct {
	Name  string      `json:"name"`
	Rule  string      `json:"rule"`
	Found string      `json:"found"`
	Words []string    `json:"words,omitempty"`
	Stops reason.Code `json:"stops,omitempty"`
}

// result is what the probe becomes, or what stops it.
type result struct {
	Outcome        mutate.Outcome     `json:"outcome,omitempty"`
	Reason         reason.Code        `json:"reason,omitempty"`
	Sentence       string             `json:"sentence"`
	Detail         string             `json:"detail,omitempty"`
	Remedy         string             `json:"remedy,omitempty"`
	Suggestion     string             `json:"suggestion,omitempty"`
	GRPC           *corev1.GRPCAction `json:"grpc,omitempty"`
	TimeoutSeconds int32              `json:"timeoutSeconds,omitempty"`
}

// explain explains a probe of a manifest.
func explain(place string, p manifest.Probe) Explanation {
	reading, steps := reader(p.Policy, p.Pod.Annotations).Trace(p.Finding.Command, containerFor(p))
	e := Explanation{Place: place, Command: p.Finding.Command}
	switch {
	case p.Finding.Reason == reason.InvalidProbe:
		e.Steps = []step{{Name: "handlers", Rule: "A probe has one handler.", Found: "this one has more", Stops: reason.InvalidProbe}}
	case reading.Reason != reason.None:
		e.Steps = told(steps)
	default:
		e.Steps = append(told(steps), judgement(p, reading.Check)...)
	}
	f := p.Finding
	e.Result = result{Outcome: f.Outcome, Reason: f.Reason, Sentence: f.Sentence, Detail: f.Detail, Remedy: f.Remedy, GRPC: f.GRPC}
	if f.Outcome == mutate.Rewritten || f.Outcome == mutate.WouldRewrite {
		e.Result.Sentence = mutate.Finding{Outcome: mutate.WouldRewrite, GRPC: f.GRPC}.Sentence()
		e.Result.TimeoutSeconds = f.NewTimeoutSeconds
	}
	return e
}

// told are the steps of a reading.
func told(steps []healthprobe.Step) []step {
	var all []step
	for _, s := range steps {
		all = append(all, step{s.Name, s.Rule, s.Found, s.Words, s.Reason})
	}
	return all
}

// reader reads as package mutate has it: native TLS probes only where the mesh is
// ignored, by the policy or by the Pod.
func reader(policy mutate.Policy, annotations map[string]string) healthprobe.Reader {
	ignored := policy.IgnoreMesh
	if value, ok := annotations[mutate.MeshAnnotation]; ok {
		ignored = value == "ignore"
	}
	return healthprobe.Reader{ToolNames: policy.ToolNames, TLSProbes: policy.TLSProbes && ignored, IPv6: policy.IPv6}
}

func containerFor(p manifest.Probe) healthprobe.Container {
	return healthprobe.Container{
		Env:                p.Container.Env,
		HostNetwork:        p.Pod.Spec.HostNetwork,
		HostnameOverridden: p.Pod.Spec.HostnameOverride != nil,
		Template:           p.Policy.Template,
	}
}

// explainAlone explains a command without a manifest: its Pod is owned and
// declares the port.
func explainAlone(container corev1.Container, hostNetwork bool, policy mutate.Policy) Explanation {
	command := container.LivenessProbe.Exec.Command
	reading := reader(policy, nil).Read(command, healthprobe.Container{Env: container.Env, HostNetwork: hostNetwork})
	if !reading.Ours {
		_, steps := reader(policy, nil).Trace(command, healthprobe.Container{Env: container.Env})
		return Explanation{Command: command, Steps: told(steps), Result: result{
			Sentence: "The probe is none of the tool's, and is left alone without a word.",
			Remedy:   oneWord(command, policy),
		}}
	}
	if reading.Check.Port > 0 {
		container.Ports = []corev1.ContainerPort{{ContainerPort: reading.Check.Port}}
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{Controller: new(true)}}},
		Spec:       corev1.PodSpec{HostNetwork: hostNetwork, Containers: []corev1.Container{container}},
	}
	found := mutate.Mutate(pod, policy).Findings[0]
	return explain("", manifest.Probe{Pod: pod, Container: &container, Policy: policy, Finding: manifest.Finding{
		Outcome: found.Outcome, Reason: found.Reason, Detail: found.Detail, Sentence: found.Sentence(), Remedy: found.Reason.Remedy(),
		Command: command, GRPC: found.GRPC, TimeoutSeconds: found.TimeoutSeconds, NewTimeoutSeconds: found.NewTimeoutSeconds,
	}})
}

// oneWord is the remedy where a whole command is written as one word, which the
// kubelet takes for the name of a program.
func oneWord(command []string, policy mutate.Policy) string {
	if len(command) != 1 {
		return ""
	}
	words := strings.Fields(command[0])
	if len(words) < 2 || !reader(policy, nil).Read(words, healthprobe.Container{}).Ours {
		return ""
	}
	return "It is one word with blanks in it, so the kubelet looks for a program of that name. Write each word for itself: -- " + quoted(words)
}

// judgement tells what mutate asks of the Pod, in its order, up to what stops the
// probe.
func judgement(p manifest.Probe, check healthprobe.Check) []step {
	steps := []struct {
		name, rule, passed string
		codes              []reason.Code
	}{
		{"owner", "--bare-pods=skip leaves Pods without a controlling owner alone.",
			ownerPassed(p), []reason.Code{reason.BarePod}},
		{"mesh", "The kubelet's probe comes from outside of a mesh, the exec probe came from inside.",
			"no proxy and no annotation of a mesh, or mesh: ignore", []reason.Code{reason.Mesh}},
		{"family", "The kubelet dials the primary IP of the Pod; a probe of the other IP family shows nothing of it.",
			"the probe and the kubelet dial the same family, or ip-family: ignore", []reason.Code{reason.IPFamily}},
		{"aliases", "Behind a name that the Pod's hostAliases give addresses the tool may reach another host; the kubelet dials the Pod alone.",
			"what the probe dials is no name of the Pod's hostAliases", []reason.Code{reason.RemoteAddress}},
		{"ports", "The kubelet dials the Pod's IP; that the server listens beyond loopback is shown by a declared TCP port, or by a probe of that IP. With the host's network a declared port shows nothing.",
			portsPassed(p, check), []reason.Code{reason.HostNetwork, reason.PortNotDeclared}},
		{"switches", "The Pod's annotations with probeshift.dev/ decide below the flags.",
			switchesOf(p.Pod.Annotations), []reason.Code{reason.SwitchedOff}},
		{"timeout", "timeoutSeconds becomes the smaller of what it was and the tool's own time, rounded up: never stricter, at most a second longer.",
			timeoutOf(p.Finding, check), nil},
		{"status", "What an undo needs is kept in the Pod's status annotation, which has to fit.",
			"it fits", []reason.Code{reason.StatusTooLarge, reason.InternalError}},
	}
	var all []step
	for _, s := range steps {
		for _, code := range s.codes {
			if code == p.Finding.Reason {
				return append(all, step{Name: s.name, Rule: s.rule, Found: cmp.Or(p.Finding.Detail, p.Finding.Sentence), Stops: code})
			}
		}
		all = append(all, step{Name: s.name, Rule: s.rule, Found: s.passed})
	}
	return all
}

func ownerPassed(p manifest.Probe) string {
	if metav1.GetControllerOfNoCopy(p.Pod) == nil {
		return "no controller owns the Pod, and such Pods are rewritten too"
	}
	return "a controller owns the Pod"
}

func portsPassed(p manifest.Probe, check healthprobe.Check) string {
	switch {
	case check.Host == healthprobe.HostPod:
		return "the probe dials the Pod's own IP, as the kubelet will"
	case p.Policy.AnyPort || p.Pod.Annotations[mutate.PortsAnnotation] == "any":
		return "ports: any asks for no evidence"
	}
	if p.Finding.Line == 0 {
		return fmt.Sprintf("port %d is taken as declared, since there is no manifest to look at", check.Port)
	}
	return fmt.Sprintf("port %d is declared", check.Port)
}

func switchesOf(annotations map[string]string) string {
	var said []string
	for _, key := range []string{mutate.ProbesAnnotation, mutate.PortsAnnotation, mutate.MeshAnnotation, mutate.IPFamilyAnnotation} {
		if value, ok := annotations[key]; ok {
			said = append(said, key+": "+value)
		}
	}
	if said == nil {
		return "there are none"
	}
	return strings.Join(said, ", ")
}

func timeoutOf(f manifest.Finding, check healthprobe.Check) string {
	old, now := seconds(f.TimeoutSeconds), seconds(f.NewTimeoutSeconds)
	if f.NewTimeoutSeconds == f.TimeoutSeconds {
		return fmt.Sprintf("it stays %s, the tool takes at most %s", old, check.Budget)
	}
	return fmt.Sprintf("it was %s, the tool takes at most %s: it becomes %s", old, check.Budget, now)
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }
