package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/probeshift/probeshift/pkg/kubeletprobe"
	"github.com/probeshift/probeshift/pkg/survey"
)

const (
	// helperPoll is how often a helper Pod is looked at.
	helperPoll = 500 * time.Millisecond
	// helperDelete is how long the deletion of a helper Pod may take.
	helperDelete = 15 * time.Second
)

// helper is how Pods are made that probe from the nodes.
type helper struct {
	namespace, image, command string
	// timeout is how long one may take, the pulling of its image included.
	timeout time.Duration
}

func (h *helper) add(fs *pflag.FlagSet) {
	fs.StringVar(&h.namespace, "helper-namespace", "", "namespace of the Pods of --from-node; its Pod Security has to allow hostNetwork")
	fs.StringVar(&h.image, "helper-image", "", "image of the Pods of --from-node, which holds this program")
	fs.StringVar(&h.command, "helper-command", "kubectl-probeshift", "this program in --helper-image")
	fs.DurationVar(&h.timeout, "helper-timeout", 2*time.Minute, "how long a Pod of --from-node may take")
}

func (h *helper) validate(fromNode bool) error {
	switch {
	case fromNode && h.namespace == "":
		return fmt.Errorf("--from-node creates Pods: name their namespace by --helper-namespace")
	case fromNode && h.image == "":
		return fmt.Errorf("--from-node creates Pods: name an image that holds this program by --helper-image")
	case fromNode && h.timeout <= 0:
		return fmt.Errorf("--helper-timeout=%s leaves no time: use 2m or the like", h.timeout)
	case !fromNode && (h.namespace != "" || h.image != ""):
		return fmt.Errorf("--helper-namespace and --helper-image go with --from-node")
	}
	return nil
}

// probe probes the targets from a node: it creates a Pod there, waits for it,
// reads what it says, and deletes it, whatever happened in between.
func (h *helper) probe(ctx context.Context, client kubernetes.Interface, node string, o order) (answers [][]kubeletprobe.Answer, err error) {
	pod, err := h.pod(node, o)
	if err != nil {
		return nil, err
	}
	pods := client.CoreV1().Pods(h.namespace)
	created, err := pods.Create(ctx, pod, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("create a Pod in namespace %s (its Pod Security has to allow hostNetwork): %w", h.namespace, err)
	}
	defer func() {
		// Ctrl-C ends the context, and the Pod goes all the same.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), helperDelete)
		defer cancel()
		now := int64(0)
		deletion := pods.Delete(ctx, created.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
		if deletion != nil && err == nil {
			err = fmt.Errorf("delete the Pod %s/%s: %w: delete it by hand", h.namespace, created.Name, deletion)
		}
	}()
	if err := h.wait(ctx, client, created.Name); err != nil {
		return nil, err
	}
	text, err := pods.GetLogs(created.Name, &corev1.PodLogOptions{}).DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what Pod %s/%s says: %w", h.namespace, created.Name, err)
	}
	if err := json.Unmarshal(text, &answers); err != nil || len(answers) != len(o.Targets) {
		return nil, fmt.Errorf("the Pod %s/%s did not say what was expected but %.200q: --helper-image has to hold this program, in this version", h.namespace, created.Name, text)
	}
	return answers, nil
}

// wait waits until a Pod is done.
func (h *helper) wait(ctx context.Context, client kubernetes.Interface, name string) error {
	what := "it was not started"
	err := wait.PollUntilContextTimeout(ctx, helperPoll, h.timeout, true, func(ctx context.Context) (bool, error) {
		pod, err := client.CoreV1().Pods(h.namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		switch pod.Status.Phase {
		case corev1.PodSucceeded:
			return true, nil
		case corev1.PodFailed:
			return false, fmt.Errorf("it failed: %s: --helper-image has to hold this program, as --helper-command", ending(pod))
		default:
		}
		if reason, hopeless := waiting(pod); hopeless {
			return false, fmt.Errorf("it cannot start: %s", reason)
		} else if reason != "" {
			what = reason
		}
		return false, nil
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted: %w", ctx.Err())
	case wait.Interrupted(err):
		return fmt.Errorf("Pod %s/%s: not done after %s: %s", h.namespace, name, h.timeout, what) //nolint:staticcheck // a kind's name
	}
	return fmt.Errorf("Pod %s/%s: %w", h.namespace, name, err) //nolint:staticcheck // a kind's name
}

// ending is why a Pod failed.
func ending(pod *corev1.Pod) string {
	for _, s := range pod.Status.ContainerStatuses {
		if t := s.State.Terminated; t != nil {
			return strings.TrimSpace(fmt.Sprintf("%s, exit code %d %s", t.Reason, t.ExitCode, t.Message))
		}
	}
	return strings.TrimSpace(pod.Status.Reason + " " + pod.Status.Message)
}

// waiting is what a Pod's container waits for, and whether that is hopeless.
func waiting(pod *corev1.Pod) (reason string, hopeless bool) {
	for _, s := range pod.Status.ContainerStatuses {
		w := s.State.Waiting
		if w == nil {
			continue
		}
		switch w.Reason {
		case "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
			return w.Reason + " " + w.Message, true
		}
		return w.Reason + " " + w.Message, false
	}
	return "", false
}

// pod is a Pod on the network of a node that carries an order out.
func (h *helper) pod(node string, o order) (*corev1.Pod, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("write the order of the Pod: %w", err)
	}
	no, yes, user, deadline := false, true, int64(65532), int64(h.timeout.Seconds())+1
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: "probeshift-verify-",
			Labels:       map[string]string{"app.kubernetes.io/name": "probeshift-verify", survey.WebhookLabel: "disabled"},
		},
		Spec: corev1.PodSpec{
			NodeName:                      node,
			HostNetwork:                   true,
			RestartPolicy:                 corev1.RestartPolicyNever,
			ActiveDeadlineSeconds:         &deadline,
			AutomountServiceAccountToken:  &no,
			EnableServiceLinks:            &no,
			Tolerations:                   []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			TerminationGracePeriodSeconds: new(int64),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot:   &yes,
				RunAsUser:      &user,
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name:            "dial",
				Image:           h.image,
				ImagePullPolicy: corev1.PullIfNotPresent,
				Command:         []string{h.command, "verify", "dial", string(text)},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: &no,
					ReadOnlyRootFilesystem:   &yes,
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}, nil
}
