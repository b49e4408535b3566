package discovery

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (s *story) aSidecarFollowsAService(t *testing.T) {
	client := sidecarAt(t, s.first, s.published(t), name)
	client.follows(t, "10.0.0.1:50051", "10.0.0.2:50051")
	s.endpoints(t, "10.0.0.2", "10.0.0.3")
	client.follows(t, "10.0.0.2:50051", "10.0.0.3:50051")
}

func (s *story) anAPIServerGoesAway(t *testing.T) {
	before := sidecarAt(t, s.first, s.published(t), name)
	before.follows(t, "10.0.0.2:50051", "10.0.0.3:50051")
	s.away.set(true)
	meanwhile := sidecarAt(t, s.first, s.published(t), name)
	meanwhile.follows(t, "10.0.0.2:50051", "10.0.0.3:50051")
	s.endpoints(t, "10.0.0.4")
	s.first.waitReady(t)
	s.away.set(false)
	before.follows(t, "10.0.0.4:50051")
	meanwhile.follows(t, "10.0.0.4:50051")
}

// told tells whether an Event on the ConfigMap has these words.
func (s *story) told(t *testing.T, words string) bool {
	t.Helper()
	list, err := s.client.EventsV1().Events(ownNamespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range list.Items {
		about := event.Regarding
		if about.Kind == "ConfigMap" && about.Name == caName && event.ReportingController == "probeshift.dev/discovery" &&
			strings.Contains(event.Note, words) {
			return true
		}
	}
	return false
}
