package access

import (
	"fmt"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Scope says which Pods a command looks at: flags -A and -l beside --namespace.
type Scope struct {
	access        *Access
	allNamespaces bool
	selector      string
}

// AddScope adds -A and -l to a command.
func (a *Access) AddScope(command *cobra.Command) *Scope {
	s := &Scope{access: a}
	command.Flags().BoolVarP(&s.allNamespaces, "all-namespaces", "A", false, "look at the Pods of all namespaces")
	command.Flags().StringVarP(&s.selector, "selector", "l", "", "look at the Pods whose labels this selector matches, such as app=shop,tier!=test")
	return s
}

// AllNamespaces says that -A is given.
func (s *Scope) AllNamespaces() bool { return s.allNamespaces }

// Where is the one namespace to look at, metav1.NamespaceAll for all, and the
// label selector, checked.
func (s *Scope) Where() (namespace, selector string, err error) {
	if _, err := labels.Parse(s.selector); err != nil {
		return "", "", fmt.Errorf("--selector=%q is no label selector: %w", s.selector, err)
	}
	if s.allNamespaces {
		return metav1.NamespaceAll, s.selector, nil
	}
	namespace, err = s.access.Namespace()
	return namespace, s.selector, err
}
