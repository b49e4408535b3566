package audit

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"

	"github.com/probeshift/probeshift/pkg/survey"
)

// templatePage is how many workloads are asked for at once.
const templatePage = 500

// lister lists one page of a kind and calls visit for each workload. It returns
// the token of the next page.
type lister func(ctx context.Context, o metav1.ListOptions, visit func(metav1.ObjectMeta, *corev1.PodTemplateSpec)) (next string, err error)

// addTemplates adds the workloads that have no Pods. It returns the kinds that
// may not be listed.
func addTemplates(ctx context.Context, client kubernetes.Interface, namespace, selector string, found *survey.Survey) (notRead []string, err error) {
	chosen, err := labels.Parse(selector)
	if err != nil {
		return nil, fmt.Errorf("read the selector: %w", err)
	}
	kinds := listers(client, namespace)
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet", "CronJob"} {
		options := metav1.ListOptions{Limit: templatePage}
		for {
			next, err := kinds[kind](ctx, options, func(meta metav1.ObjectMeta, template *corev1.PodTemplateSpec) {
				if chosen.Matches(labels.Set(template.Labels)) {
					found.AddTemplate(survey.Owner{Namespace: meta.Namespace, Kind: kind, Name: meta.Name}, template)
				}
			})
			if apierrors.IsForbidden(err) {
				notRead = append(notRead, kind+"s")
				break
			}
			if err != nil {
				return nil, fmt.Errorf("list %ss: %w", kind, err)
			}
			if options.Continue = next; next == "" {
				break
			}
		}
	}
	return notRead, nil
}

// listers list the kinds that make Pods, but for those that others make.
func listers(client kubernetes.Interface, namespace string) map[string]lister {
	return map[string]lister{
		"Deployment": func(ctx context.Context, o metav1.ListOptions, visit func(metav1.ObjectMeta, *corev1.PodTemplateSpec)) (string, error) {
			list, err := client.AppsV1().Deployments(namespace).List(ctx, o)
			if err != nil {
				return "", err
			}
			for i := range list.Items {
				visit(list.Items[i].ObjectMeta, &list.Items[i].Spec.Template)
			}
			return list.Continue, nil
		},
		"StatefulSet": func(ctx context.Context, o metav1.ListOptions, visit func(metav1.ObjectMeta, *corev1.PodTemplateSpec)) (string, error) {
			list, err := client.AppsV1().StatefulSets(namespace).List(ctx, o)
			if err != nil {
				return "", err
			}
			for i := range list.Items {
				visit(list.Items[i].ObjectMeta, &list.Items[i].Spec.Template)
			}
			return list.Continue, nil
		},
		"DaemonSet": func(ctx context.Context, o metav1.ListOptions, visit func(metav1.ObjectMeta, *corev1.PodTemplateSpec)) (string, error) {
			list, err := client.AppsV1().DaemonSets(namespace).List(ctx, o)
			if err != nil {
				return "", err
			}
			for i := range list.Items {
				visit(list.Items[i].ObjectMeta, &list.Items[i].Spec.Template)
			}
			return list.Continue, nil
		},
		"CronJob": func(ctx context.Context, o metav1.ListOptions, visit func(metav1.ObjectMeta, *corev1.PodTemplateSpec)) (string, error) {
			list, err := client.BatchV1().CronJobs(namespace).List(ctx, o)
			if err != nil {
				return "", err
			}
			for i := range list.Items {
				visit(list.Items[i].ObjectMeta, &list.Items[i].Spec.JobTemplate.Spec.Template)
			}
			return list.Continue, nil
		},
	}
}
