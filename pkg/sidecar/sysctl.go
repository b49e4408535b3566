package sidecar

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// firstUnprivileged is where ports for everybody begin by Linux's default.
const firstUnprivileged = 1024

// needsSysctl says whether the Pod needs the sysctl for a listener below 1024. A
// sysctl may be set once alone, so a value of the user's that is too high is a
// problem.
func needsSysctl(pod *corev1.Pod, routes []route, metricsPort uint16) (needed bool, problems []Problem) {
	lowest := min(metricsPort, firstUnprivileged)
	for _, r := range routes {
		lowest = min(lowest, r.listen.Port())
	}
	if lowest == firstUnprivileged {
		return false, nil
	}
	if pod.Spec.SecurityContext == nil {
		return true, nil
	}
	for _, sysctl := range pod.Spec.SecurityContext.Sysctls {
		if strings.ReplaceAll(sysctl.Name, "/", ".") != unprivilegedPorts { // the kubelet takes both spellings
			continue
		}
		if from, ok := digits(sysctl.Value); ok && from <= uint64(lowest) {
			return false, nil
		}
		return false, []Problem{{
			Sysctl,
			fmt.Sprintf("the sidecar listens on port %d, and the Pod sets %s to %s", lowest, unprivilegedPorts, shown(sysctl.Value)),
			fmt.Sprintf("set it to %d or less, or remove it", lowest),
		}}
	}
	return true, nil
}
