package manifest

import (
	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
)

// site is one exec probe of a template, decoded and in the text.
type site struct {
	container string
	kind      mutate.ProbeKind
	// probe is the probe as it was judged.
	probe *corev1.Probe
	// path is where the probe stands in the document.
	path []string
	// inContainer is the pair of the probe in its container, and exec and timeout
	// those in the probe; timeout is nil where there is none.
	inContainer, exec slot
	timeout           *slot
	// aliased says that one of the collections above the container was reached
	// through an alias or a merge.
	aliased bool
}

// findSites finds the exec probes of a template, in the order in which mutate
// judges them.
func findSites(t template, pod *corev1.Pod) []*site {
	var sites []*site
	specSlot, ok := find(t.node, "spec")
	if !ok {
		return nil
	}
	spec := target(specSlot.value())
	visitProbes(pod, func(list string, i int, c *corev1.Container, kind mutate.ProbeKind, probe *corev1.Probe) {
		if probe.Exec == nil {
			return
		}
		containers, ok := find(spec, list)
		if !ok || i >= len(target(containers.value()).Content) {
			return
		}
		item := target(containers.value()).Content[i]
		s := &site{
			container: c.Name, kind: kind, probe: probe,
			path: join(t.path, "spec", list, itoa(i), string(kind)+"Probe"),
			aliased: specSlot.value().Kind == yaml.AliasNode || specSlot.merge != nil || containers.merge != nil ||
				containers.value().Kind == yaml.AliasNode || item.Kind == yaml.AliasNode,
		}
		if s.inContainer, ok = find(target(item), string(kind)+"Probe"); !ok {
			return
		}
		if s.exec, ok = find(target(s.inContainer.value()), "exec"); !ok {
			return
		}
		if timeout, ok := find(target(s.inContainer.value()), "timeoutSeconds"); ok {
			s.timeout = &timeout
		}
		sites = append(sites, s)
	})
	return sites
}

// mapping is the probe's own mapping, aliases followed.
func (s *site) mapping() *yaml.Node { return target(s.inContainer.value()) }

// place is the key in the container's own text at which the probe is used: exec,
// or the key with the alias or merge through which it is had.
func (s *site) place() *yaml.Node {
	switch {
	case s.inContainer.merge != nil:
		return s.inContainer.merge.key()
	case s.inContainer.value().Kind == yaml.AliasNode:
		return s.inContainer.key()
	case s.exec.merge != nil:
		return s.exec.merge.key()
	}
	return s.exec.key()
}
