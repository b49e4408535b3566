package doctor

import (
	"path"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/survey"
)

// Pods gathers from Pods, one by one, what the checks look at. What it keeps
// grows with what is found.
type Pods struct {
	survey *survey.Survey
	// since is when a namespace was switched on.
	since map[string]time.Time

	// Missed count the Pods that the webhook should have seen and did not.
	Missed map[survey.Owner]int
	// Older count those with such a probe that are older than the label, and
	// Unsure those of which that cannot be told.
	Older, Unsure int
	// Windows count the Pods that run the tool as an .exe.
	Windows map[survey.Owner]int
	// Balanced are the Pods with a load-balancing sidecar, those that are alike
	// once.
	Balanced map[BalancedKey]Balanced
	// Unbalanced count the Pods that ask for the sidecar and do not have it.
	Unbalanced map[age]map[survey.Owner]int
}

// NewPods returns an empty gathering. The configuration's and the namespaces'
// facts have to be there.
func (f *Facts) NewPods(policy mutate.Policy) *Pods {
	p := &Pods{
		survey:  survey.New(survey.Options{Policy: policy, FamilyOfPod: true}),
		since:   map[string]time.Time{},
		Missed:  map[survey.Owner]int{},
		Windows: map[survey.Owner]int{},

		Balanced:   map[BalancedKey]Balanced{},
		Unbalanced: map[age]map[survey.Owner]int{},
	}
	for i := range f.Namespaces.Value {
		n := &f.Namespaces.Value[i]
		if n.Labels[survey.WebhookLabel] != enabled || !f.serves(n) {
			continue
		}
		p.since[n.Name] = later(labelledAt(n), f.configuration().CreationTimestamp.Time)
	}
	return p
}

// Add looks at one Pod.
func (p *Pods) Add(pod *corev1.Pod) {
	p.addMissed(pod)
	p.addBalanced(pod)
	if runsExe(pod) {
		p.Windows[survey.OwnerOf(pod)]++
	}
}

// addMissed counts a Pod of an enabled namespace that holds a probe of ours and
// no status.
func (p *Pods) addMissed(pod *corev1.Pod) {
	a := p.ageOf(pod)
	if _, seen := pod.Annotations[mutate.StatusAnnotation]; a == outside || seen {
		return
	}
	probes, _ := p.survey.Probes(pod)
	if len(probes) == 0 || probes[0].Held == survey.OptedOut || probes[0].Held == survey.StaticPod {
		return
	}
	switch a {
	case unsure:
		p.Unsure++
	case older:
		p.Older++
	default:
		p.Missed[survey.OwnerOf(pod)]++
	}
}

// age is a Pod's beside the time when its namespace was switched on.
type age int

const (
	// outside: the namespace is not switched on.
	outside age = iota
	// unsure: when it was is not known.
	unsure
	older
	younger
)

func (p *Pods) ageOf(pod *corev1.Pod) age {
	since, on := p.since[pod.Namespace]
	switch {
	case !on:
		return outside
	case since.IsZero():
		return unsure
	case !pod.CreationTimestamp.After(since):
		// Times are of whole seconds: what fell into the same one is not told apart.
		return older
	}
	return younger
}

// labelledAt is when somebody gave the namespace its label, as managedFields
// tell; the zero time where they do not.
func labelledAt(n *corev1.Namespace) time.Time {
	for _, m := range n.ManagedFields {
		if m.FieldsV1 != nil && m.Time != nil && strings.Contains(m.FieldsV1.GetRawString(), `"f:`+survey.WebhookLabel+`"`) {
			return m.Time.Time
		}
	}
	return time.Time{}
}

// later is the later of two times; the zero time where the first is not known.
func later(a, b time.Time) time.Time {
	if a.IsZero() || a.After(b) {
		return a
	}
	return b
}

// runsExe says whether a probe runs the tool under its name on Windows.
func runsExe(pod *corev1.Pod) bool {
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
			if probe == nil || probe.Exec == nil {
				continue
			}
			for _, word := range probe.Exec.Command {
				name := strings.ToLower(path.Base(strings.ReplaceAll(word, `\`, "/")))
				if strings.HasSuffix(name, ".exe") && (strings.HasPrefix(name, "grpc_health_probe") || strings.HasPrefix(name, "grpc-health-probe")) {
					return true
				}
			}
		}
	}
	return false
}
