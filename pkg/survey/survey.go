package survey

import (
	"encoding/json"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/healthprobe"
	"github.com/probeshift/probeshift/pkg/mutate"
)

// WebhookLabel is the label that switches the webhook on for a namespace, and
// off for a Pod.
const WebhookLabel = "probeshift.dev/webhook"

// Options say how the survey decides.
type Options struct {
	// Policy is the webhook's, as it is or is going to be.
	Policy mutate.Policy
	// FamilyOfPod takes the IP family of each Pod's own address for the
	// policy's, where the Pod has one.
	FamilyOfPod bool
	// Excluded are the namespaces that the webhook is never called for.
	Excluded []string
	// Resolve is asked for the workload behind a Job, which a Pod does not tell;
	// nil leaves Jobs as they are. It is asked once for each Job.
	Resolve func(Owner) Owner
}

// Survey gathers what is to be told of Pods. It may not be used by several
// goroutines at once.
type Survey struct {
	options   Options
	reader    healthprobe.Reader
	pods      int
	workloads map[Owner]*workload
	resolved  map[Owner]Owner
	images    map[string]*image
	runs      runs
}

// New returns an empty survey.
func New(options Options) *Survey {
	options.Policy.Audit = true
	return &Survey{
		options:   options,
		reader:    healthprobe.Reader{ToolNames: options.Policy.ToolNames}.ForMany(),
		workloads: map[Owner]*workload{},
		resolved:  map[Owner]Owner{},
		images:    map[string]*image{},
	}
}

// Add adds a Pod; it keeps nothing of a Pod without a probe of the tool.
func (s *Survey) Add(pod *corev1.Pod) {
	s.pods++
	s.otherUses(pod)
	probes, remarks := s.Probes(pod)
	if len(probes) == 0 {
		return
	}
	w := s.workload(s.owner(pod))
	w.pods++
	w.addRemarks(remarks)
	for i := range probes {
		w.add(probes[i])
		s.runs.add(pod, &probes[i])
	}
	s.addImages(pod, probes)
}

// AddTemplate adds a workload that has no Pods with such a probe: one that is
// scaled to 0, or a CronJob between runs. It belongs behind all Pods; of a
// workload that is known already nothing is added.
func (s *Survey) AddTemplate(owner Owner, template *corev1.PodTemplateSpec) {
	if s.workloads[owner] != nil {
		return
	}
	yes := true
	pod := &corev1.Pod{ObjectMeta: *template.ObjectMeta.DeepCopy(), Spec: template.Spec}
	pod.Namespace = owner.Namespace
	pod.OwnerReferences = []metav1.OwnerReference{{Kind: owner.Kind, Name: owner.Name, Controller: &yes}}
	s.otherUses(pod)
	probes, remarks := s.Probes(pod)
	if len(probes) == 0 {
		return
	}
	w := s.workload(owner)
	w.addRemarks(remarks)
	for i := range probes {
		probes[i].Pods = 0
		w.add(probes[i])
	}
	s.addImages(pod, probes)
}

// Probes is what becomes of each probe of the tool in one Pod.
func (s *Survey) Probes(pod *corev1.Pod) ([]Probe, []mutate.Remark) {
	result := mutate.Mutate(pod, s.policy(pod))
	probes := native(pod)
	hold := s.hold(pod)
	for i := range result.Findings {
		f := &result.Findings[i]
		probe := Probe{
			Container: f.Container, Kind: f.Probe, Outcome: f.Outcome, Reason: f.Reason, Detail: f.Detail, Held: hold,
			Sentence: f.Sentence(), Remedy: f.Reason.Remedy(), Pods: 1,
			Command: f.Command, TimeoutSeconds: f.TimeoutSeconds, NewTimeoutSeconds: f.NewTimeoutSeconds, GRPC: f.GRPC,
		}
		if hold != "" {
			probe.Sentence = hold.Sentence()
		}
		probes = append(probes, probe)
	}
	return probes, result.Remarks
}

// policy is the policy for one Pod.
func (s *Survey) policy(pod *corev1.Pod) mutate.Policy {
	policy := s.options.Policy
	if s.options.FamilyOfPod {
		if address, err := netip.ParseAddr(pod.Status.PodIP); err == nil {
			policy.IPv6 = address.Unmap().Is6()
		}
	}
	return policy
}

// hold says why the webhook leaves a Pod alone whatever its probes are.
func (s *Survey) hold(pod *corev1.Pod) Hold {
	switch {
	case isMirror(pod):
		return StaticPod
	case slices.Contains(s.options.Excluded, pod.Namespace):
		return ExcludedNamespace
	case pod.Labels[WebhookLabel] == "disabled":
		return OptedOut
	case pod.Annotations[mutate.ProbesAnnotation] == "audit":
		return AuditOnly
	}
	return ""
}

// owner is the Pod's workload, and the one behind that where it is a Job.
func (s *Survey) owner(pod *corev1.Pod) Owner {
	owner := OwnerOf(pod)
	if owner.Kind == "Job" && s.options.Resolve != nil {
		behind, known := s.resolved[owner]
		if !known {
			behind = s.options.Resolve(owner)
			s.resolved[owner] = behind
		}
		owner = behind
	}
	return owner
}

// workload is what is known of a workload, made where nothing is.
func (s *Survey) workload(owner Owner) *workload {
	w := s.workloads[owner]
	if w == nil {
		w = &workload{probes: map[string]*Probe{}, remarks: map[string]bool{}}
		s.workloads[owner] = w
	}
	return w
}

// native is what the status annotation says that became native, and is.
func native(pod *corev1.Pod) []Probe {
	text, ok := pod.Annotations[mutate.StatusAnnotation]
	if !ok {
		return nil
	}
	var status struct {
		Probes map[string]map[mutate.ProbeKind]struct {
			Outcome        mutate.Outcome     `json:"outcome"`
			Exec           []string           `json:"exec"`
			TimeoutSeconds int32              `json:"timeoutSeconds"`
			GRPC           *corev1.GRPCAction `json:"grpc"`
		} `json:"probes"`
	}
	if json.Unmarshal([]byte(text), &status) != nil {
		return nil
	}
	var probes []Probe
	for container, kinds := range status.Probes {
		for kind, entry := range kinds {
			there := ProbeOf(pod, container, kind)
			if entry.Outcome != mutate.Rewritten || entry.GRPC == nil || there == nil || there.GRPC == nil || there.GRPC.Port != entry.GRPC.Port {
				continue
			}
			probes = append(probes, Probe{
				Container: container, Kind: kind, Outcome: mutate.Rewritten, Sentence: "The probe is native.", Pods: 1,
				Command: entry.Exec, TimeoutSeconds: entry.TimeoutSeconds, NewTimeoutSeconds: there.TimeoutSeconds, GRPC: there.GRPC,
			})
		}
	}
	return probes
}

// ProbeOf is a probe of a container, nil where there is none.
func ProbeOf(pod *corev1.Pod, container string, kind mutate.ProbeKind) *corev1.Probe {
	c := containerOf(pod, container)
	if c == nil {
		return nil
	}
	switch kind {
	case mutate.Liveness:
		return c.LivenessProbe
	case mutate.Readiness:
		return c.ReadinessProbe
	case mutate.Startup:
		return c.StartupProbe
	}
	return nil
}

func containerOf(pod *corev1.Pod, name string) *corev1.Container {
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}
