package survey

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/healthprobe"
	"github.com/probeshift/probeshift/pkg/mutate"
)

/*
An image carries the tool for nothing once no probe runs it any more. What else
may run it and can be seen: a probe that is left alone, a lifecycle hook, and a
container's own command. What an image does by itself cannot be seen from here,
nor whether the tool comes from the image or from a volume.
*/

// image is an Image while Pods are added.
type image struct {
	pods int
	// probed says that a probe of the tool runs in it.
	probed bool
	needed map[string]bool
}

func (s *Survey) image(name string) *image {
	i := s.images[name]
	if i == nil {
		i = &image{needed: map[string]bool{}}
		s.images[name] = i
	}
	return i
}

// addImages notes in which images the Pod's probes run.
func (s *Survey) addImages(pod *corev1.Pod, probes []Probe) {
	counted := map[string]bool{}
	for i := range probes {
		p := &probes[i]
		c := containerOf(pod, p.Container)
		if c == nil {
			continue
		}
		image := s.image(c.Image)
		image.probed = true
		if !counted[c.Image] {
			counted[c.Image] = true
			if p.Pods > 0 {
				image.pods++
			}
		}
		switch {
		case p.Outcome == mutate.Rewritten:
		case p.Held != "":
			image.needed[fmt.Sprintf("a %s probe (%s)", p.Kind, p.Held)] = true
		case p.Outcome != mutate.WouldRewrite:
			image.needed[fmt.Sprintf("a %s probe (%s)", p.Kind, p.Reason)] = true
		}
	}
}

// otherUses notes images that run the tool in another way than by a probe.
func (s *Survey) otherUses(pod *corev1.Pod) {
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			c := &list[i]
			if s.runsTool(c, slices.Concat(c.Command, c.Args)) {
				s.image(c.Image).needed["a container's command"] = true
			}
			if c.Lifecycle == nil {
				continue
			}
			for _, hook := range []*corev1.LifecycleHandler{c.Lifecycle.PostStart, c.Lifecycle.PreStop} {
				if hook != nil && hook.Exec != nil && s.runsTool(c, hook.Exec.Command) {
					s.image(c.Image).needed["a lifecycle hook"] = true
				}
			}
		}
	}
}

func (s *Survey) runsTool(c *corev1.Container, command []string) bool {
	return len(command) > 0 && s.reader.Read(command, healthprobe.Container{Env: c.Env}).Ours
}

// imageList is what was found of images.
func (s *Survey) imageList() []Image {
	list := []Image{}
	for _, name := range slices.Sorted(maps.Keys(s.images)) {
		i := s.images[name]
		if i.probed {
			list = append(list, Image{Image: name, Pods: i.pods, ForNothing: len(i.needed) == 0, Needed: slices.Sorted(maps.Keys(i.needed))})
		}
	}
	return list
}
