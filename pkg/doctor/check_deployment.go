package doctor

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/labels"
)

/*
The Service leads to the Deployment whose Pods answer.
*/

func checkDeployment(f *Facts) Result {
	r := newResult("deployment", "the Service that the configuration names, and the Deployments behind it")
	if f.configuration() == nil {
		r.unknown("There is no configuration that names a Service.", applyManifests)
		return r
	}
	if f.Service.Err != nil {
		r.unread("the webhook's Service", f.Service.Err)
		return r
	}
	if f.Service.Value == nil {
		if name, named := f.ServiceName(); named {
			r.fail("The Service "+name.String()+" is not there.", applyManifests)
		} else {
			r.unknown("The configuration names a URL and no Service of this cluster.",
				"Look at what serves it; clientConfig of the configuration "+f.ConfigurationName+" names it.")
		}
		return r
	}
	if f.Deployments.Err != nil {
		r.unread("the Deployments of namespace "+f.Service.Value.Namespace, f.Deployments.Err)
		return r
	}
	found := f.deployments()
	if len(found) == 0 {
		r.fail("No Deployment has Pods that the Service "+f.Service.Value.Namespace+"/"+f.Service.Value.Name+" selects.", applyManifests)
		return r
	}
	for i := range found {
		r.replicas(&found[i])
	}
	return r
}

// replicas notes whether all replicas of a Deployment are ready.
func (r *Result) replicas(d *appsv1.Deployment) {
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	text := fmt.Sprintf("%s/%s: %d of %d replicas ready.", d.Namespace, d.Name, d.Status.ReadyReplicas, want)
	if d.Status.ReadyReplicas == 0 || d.Status.ReadyReplicas < want {
		r.fail(text, "See what a replica waits for: kubectl -n "+d.Namespace+" describe pods")
		return
	}
	r.note(text)
}

// deployments are those whose Pods the webhook's Service selects.
func (f *Facts) deployments() []appsv1.Deployment {
	if f.Service.Value == nil || len(f.Service.Value.Spec.Selector) == 0 {
		return nil
	}
	selector := labels.SelectorFromSet(f.Service.Value.Spec.Selector)
	var found []appsv1.Deployment
	for _, d := range f.Deployments.Value {
		if selector.Matches(labels.Set(d.Spec.Template.Labels)) {
			found = append(found, d)
		}
	}
	return found
}

// has says whether a replica's arguments hold a flag with this value.
func has(d *appsv1.Deployment, flag, value string) bool {
	return slices.Contains(values(d, flag), value)
}

// values are what a replica's arguments say of a flag, as --flag=value or in two
// words. A flag without a value is one that is switched on.
func values(d *appsv1.Deployment, flag string) []string {
	var found []string
	for i := range d.Spec.Template.Spec.Containers {
		c := &d.Spec.Template.Spec.Containers[i]
		words := slices.Concat(c.Command, c.Args)
		for i, word := range words {
			value, joined := strings.CutPrefix(word, "--"+flag+"=")
			switch {
			case joined:
				found = append(found, value)
			case word != "--"+flag:
			case i+1 < len(words) && !strings.HasPrefix(words[i+1], "-"):
				found = append(found, words[i+1])
			default:
				found = append(found, "true")
			}
		}
	}
	return found
}

// checkSwitches names what is lifted for the whole cluster.
func checkSwitches(f *Facts) Result {
	r := newResult("switches", "arguments of the webhook's Deployment")
	found := f.deployments()
	if len(found) == 0 {
		r.unknown("No Deployment of the webhook could be read.", "See the check deployment.")
		return r
	}
	for _, s := range []struct{ flag, value, means string }{
		{"ports", "any", "no declared port is asked for in the whole cluster, so a server that listens on loopback alone will fail its native probe"},
		{"mesh", "ignore", "Pods of a service mesh are rewritten in the whole cluster"},
		{"ip-family", "ignore", "probes that dial the other IP family are rewritten in the whole cluster"},
		{"grpc-probe-tls", "always", "every API server and kubelet has to have the gate GRPCContainerProbeTLS"},
	} {
		if slices.ContainsFunc(found, func(d appsv1.Deployment) bool { return has(&d, s.flag, s.value) }) {
			r.note("--" + s.flag + "=" + s.value + ": " + s.means + ".")
		}
	}
	if len(r.Found) == 0 {
		r.note("Nothing is lifted for the whole cluster.")
	}
	return r
}

// mostNames is how many names a sentence lists.
const mostNames = 5

// joined lists names for a sentence.
func joined(names []string) string {
	if len(names) <= mostNames {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNames], ", "), len(names)-mostNames)
}
