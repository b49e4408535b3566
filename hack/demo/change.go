package main

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/reason"
)

// change is what became of one exec probe.
type change struct {
	container string
	// kind is liveness, readiness or startup.
	kind          string
	before, after *corev1.Probe
	// reason says why the probe was left alone, as the Pod's status annotation
	// gives it.
	reason reason.Code
}

// compare tells what became of each exec probe of a Pod's containers. It looks
// at nothing but the Pod that was sent and the one that the API server stored.
func compare(sent, stored *corev1.Pod) []change {
	reasons := readReasons(stored)
	var changes []change
	for i := range sent.Spec.Containers {
		before, after := &sent.Spec.Containers[i], &stored.Spec.Containers[i]
		for _, p := range []struct {
			kind          string
			before, after *corev1.Probe
		}{
			{"startup", before.StartupProbe, after.StartupProbe},
			{"liveness", before.LivenessProbe, after.LivenessProbe},
			{"readiness", before.ReadinessProbe, after.ReadinessProbe},
		} {
			if p.before != nil && p.before.Exec != nil {
				changes = append(changes, change{before.Name, p.kind, p.before, p.after, reasons[before.Name][p.kind]})
			}
		}
	}
	return changes
}

// readReasons reads the reasons out of a Pod's status annotation, by container
// and kind of probe. What cannot be read has none.
func readReasons(pod *corev1.Pod) map[string]map[string]reason.Code {
	var status struct {
		Probes map[string]map[string]struct {
			Reason reason.Code `json:"reason"`
		} `json:"probes"`
	}
	if json.Unmarshal([]byte(pod.Annotations[mutate.StatusAnnotation]), &status) != nil {
		return nil
	}
	reasons := map[string]map[string]reason.Code{}
	for container, probes := range status.Probes {
		reasons[container] = map[string]reason.Code{}
		for kind, probe := range probes {
			reasons[container][kind] = probe.Reason
		}
	}
	return reasons
}

// rewritten says whether the probe is native now.
func (c change) rewritten() bool { return c.after.GRPC != nil && c.after.Exec == nil }

// String tells the new probe, for example "grpc, port 9000", or "exec" with the
// reason why it was left alone, for example "exec, tls-verified".
func (c change) String() string {
	if !c.rewritten() {
		if c.reason == reason.None {
			return "exec, not seen by the webhook"
		}
		return "exec, " + string(c.reason)
	}
	text := fmt.Sprintf("grpc, port %d", c.after.GRPC.Port)
	if service := c.after.GRPC.Service; service != nil && *service != "" {
		text += ", service " + *service
	}
	if was, now := timeout(c.before), timeout(c.after); was != now {
		text += fmt.Sprintf(", timeoutSeconds %d (was %d)", now, was)
	}
	return text
}

// timeout is a probe's timeoutSeconds; 1 is the API server's default.
func timeout(p *corev1.Probe) int32 { return max(p.TimeoutSeconds, 1) }

// same says whether two probes were alike and became alike.
func (c change) same(other change) bool {
	return c.container == other.container && c.command() == other.command() && c.String() == other.String()
}
