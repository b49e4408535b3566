package sidecar

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/sidecar/envoy"
)

/*
The status annotation tells what was done, and by its hash that the container and
the aliases in the Pod are those that it tells of. Then the Pod is left alone,
whether we are called again or somebody copied a live Pod.

The hash covers the arguments, which hold the whole configuration, and the
aliases. Other webhooks may change the rest: images get other registries, cloud
providers add env and volume mounts to every container.
*/

// Status is the value of the annotation lb.probeshift.dev/status.
type Status struct {
	// Hash is over the sidecar's arguments and aliases.
	Hash string `json:"hash"`
	// Asked is a hash over the annotations that were read, and the namespace.
	Asked string `json:"asked"`
	// Members says where the pools' members come from: "discovery", for those
	// that are Services of the cluster, or "dns".
	Members   string           `json:"members"`
	Upstreams []UpstreamStatus `json:"upstreams"`
}

// UpstreamStatus is one upstream as the status tells it.
type UpstreamStatus struct {
	// Name is what Envoy's statistics call it.
	Name string `json:"name"`
	// Dialled is what the application dials, and Listen where that arrives.
	Dialled string         `json:"dialled"`
	Listen  netip.AddrPort `json:"listen"`
}

// newStatus is the status of a Pod that has the container and the aliases.
func newStatus(pod *corev1.Pod, namespace string, c *corev1.Container, aliases []corev1.HostAlias, routes []route, config envoy.Config) Status {
	s := Status{Asked: hashAsked(namespace, pod.Annotations), Members: "dns"}
	if config.Discovery != nil {
		s.Members = "discovery"
	}
	for i, r := range routes {
		s.Upstreams = append(s.Upstreams, UpstreamStatus{Name: config.Upstreams[i].Name, Dialled: r.dialledText(), Listen: r.listen})
	}
	s.Hash = s.hash(c, slices.Concat(pod.Spec.HostAliases, aliases))
	return s
}

// ReadStatus reads the status annotation of a Pod; what cannot be read counts as
// none. It may tell of another Pod: see Inject's AlreadyInjected.
func ReadStatus(annotations map[string]string) (s Status, found bool) {
	value, there := annotations[StatusAnnotation]
	if !there || json.Unmarshal([]byte(value), &s) != nil {
		return Status{}, false
	}
	return s, true
}

// text is the annotation's value.
func (s Status) text() (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return "", err
	}
	return string(bytes.TrimSpace(out.Bytes())), nil
}

// matches says whether the Pod has the container and aliases that the status
// tells of. A status with more upstreams than we inject is not ours.
func (s Status) matches(pod *corev1.Pod) bool {
	c, found := container(pod)
	return found && len(s.Upstreams) > 0 && len(s.Upstreams) <= maxUpstreams && s.Hash == s.hash(c, pod.Spec.HostAliases)
}

// hash is over the container's arguments and the aliases of what is dialled.
// Others may be at the same address, as at ::1.
func (s Status) hash(c *corev1.Container, aliases []corev1.HostAlias) string {
	addresses, dialled := map[string]bool{}, map[string]bool{}
	for _, u := range s.Upstreams {
		addresses[u.Listen.Addr().String()] = true
		host, _, _ := strings.Cut(u.Dialled, ":")
		dialled[host] = true
	}
	var lines []string
	for _, alias := range aliases {
		if !addresses[alias.IP] || !slices.ContainsFunc(alias.Hostnames, func(host string) bool { return dialled[host] }) {
			continue
		}
		for _, host := range alias.Hostnames {
			lines = append(lines, alias.IP+" "+host)
		}
	}
	slices.Sort(lines)
	return hash(slices.Concat(c.Command, []string{""}, c.Args, []string{""}, lines))
}

// hashAsked is over what the Pod asks for. What a name without a namespace means
// depends on the Pod's own.
func hashAsked(namespace string, annotations map[string]string) string {
	words := []string{namespace}
	for _, key := range ourKeys(annotations) {
		if key != StatusAnnotation {
			words = append(words, key, annotations[key])
		}
	}
	return hash(words)
}

// hash is 16 bytes of the SHA-256 of words, in hex.
func hash(words []string) string {
	h := sha256.New()
	for _, word := range words {
		length := sha256.Sum256([]byte(word)) // of one length, so that words cannot run into each other
		h.Write(length[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
