package sidecar

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// requirements writes requests and limits, "cpu memory" each; - is none.
func requirements(requests, limits [2]string) corev1.ResourceRequirements {
	read := func(values [2]string) corev1.ResourceList {
		list := corev1.ResourceList{}
		for i, kind := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			if values[i] != "-" {
				list[kind] = resource.MustParse(values[i])
			}
		}
		return list
	}
	return corev1.ResourceRequirements{Requests: read(requests), Limits: read(limits)}
}

func TestTheQualityOfServiceIsTheKubelets(t *testing.T) {
	none := requirements([2]string{"-", "-"}, [2]string{"-", "-"})
	whole := requirements([2]string{"1", "1Gi"}, [2]string{"1", "1Gi"})
	for sentence, tc := range map[string]struct {
		containers, initContainers []corev1.ResourceRequirements
		want                       qos
	}{
		"nothing is best effort":                   {[]corev1.ResourceRequirements{none, none}, nil, bestEffort},
		"zero is nothing":                          {[]corev1.ResourceRequirements{requirements([2]string{"0", "-"}, [2]string{"-", "0"})}, nil, bestEffort},
		"all limits with their requests":           {[]corev1.ResourceRequirements{whole, whole}, nil, guaranteed},
		"limits alone are requests too":            {[]corev1.ResourceRequirements{requirements([2]string{"-", "-"}, [2]string{"1", "1Gi"})}, nil, guaranteed},
		"the same in other units":                  {[]corev1.ResourceRequirements{requirements([2]string{"1000m", "1024Mi"}, [2]string{"1", "1Gi"})}, nil, guaranteed},
		"one container without limits":             {[]corev1.ResourceRequirements{whole, none}, nil, burstable},
		"an init container without limits":         {[]corev1.ResourceRequirements{whole}, []corev1.ResourceRequirements{none}, burstable},
		"requests below limits":                    {[]corev1.ResourceRequirements{requirements([2]string{"1", "1Gi"}, [2]string{"2", "1Gi"})}, nil, burstable},
		"a limit of one resource":                  {[]corev1.ResourceRequirements{requirements([2]string{"1", "-"}, [2]string{"1", "-"})}, nil, burstable},
		"an init container alone asks for a share": {[]corev1.ResourceRequirements{none}, []corev1.ResourceRequirements{whole}, burstable},
	} {
		t.Run(sentence, func(t *testing.T) {
			pod := &corev1.Pod{}
			for _, r := range tc.containers {
				pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "c", Resources: r})
			}
			for _, r := range tc.initContainers {
				pod.Spec.InitContainers = append(pod.Spec.InitContainers, corev1.Container{Name: "i", Resources: r})
			}
			if got := qosOf(pod); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

func TestRequestsAndLimitsNeverContradictEachOther(t *testing.T) {
	quantity := func(s string) *resource.Quantity {
		if s == "" {
			return nil
		}
		q := resource.MustParse(s)
		return &q
	}
	for sentence, tc := range map[string]struct {
		request, limit string
		class          qos
		want           string
	}{
		"the usual":                            {"", "", burstable, "48Mi to 256Mi"},
		"a request above the usual limit":      {"300Mi", "", burstable, "300Mi to 300Mi"},
		"a limit below the usual request":      {"", "32Mi", burstable, "32Mi to 32Mi"},
		"both":                                 {"10Mi", "20Mi", burstable, "10Mi to 20Mi"},
		"the usual of a Guaranteed Pod":        {"", "", guaranteed, "128Mi to 128Mi"},
		"a request in a Guaranteed Pod":        {"64Mi", "", guaranteed, "64Mi to 64Mi"},
		"a limit in a Guaranteed Pod":          {"", "64Mi", guaranteed, "64Mi to 64Mi"},
		"both in a Guaranteed Pod, as written": {"32Mi", "64Mi", guaranteed, "32Mi to 64Mi"},
	} {
		p, problems := quantities{}.pair("memory", quantity(tc.request), quantity(tc.limit), tc.class, "48Mi", "256Mi", "128Mi")
		if diff := cmp.Diff(tc.want, p.request.String()+" to "+p.limit.String()); diff != "" || len(problems) > 0 {
			t.Errorf("%s (-want +got):\n%s%v", sentence, diff, problems)
		}
	}
}
