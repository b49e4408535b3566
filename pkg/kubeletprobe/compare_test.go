package kubeletprobe_test

import (
	"strings"
	"testing"
	"time"

	"github.com/probeshift/probeshift/pkg/kubeletprobe"
	"github.com/probeshift/probeshift/pkg/mutate"
)

func TestAContainerIsComparedWithTheAnswers(t *testing.T) {
	ready := kubeletprobe.Container{Running: true, Ready: true, Started: true, RunningFor: time.Hour}
	unready := ready
	unready.Ready = false
	starting := unready
	starting.Started = false
	young := ready
	young.RunningFor = time.Second
	fresh := unready
	fresh.RunningFor = time.Second
	restarted := ready
	restarted.Restarts = 1
	passed := kubeletprobe.Answer{Verdict: kubeletprobe.Passed, Text: "SERVING"}
	failed := kubeletprobe.Answer{Verdict: kubeletprobe.Failed, Text: "NOT_SERVING"}
	silent := kubeletprobe.Answer{Verdict: kubeletprobe.NoAnswer, Text: "refused"}
	const agree, disagree, unsure = kubeletprobe.Agree, kubeletprobe.Disagree, kubeletprobe.CannotTell

	for name, tc := range map[string]struct {
		kind     mutate.ProbeKind
		was, is  kubeletprobe.Container
		answers  []kubeletprobe.Answer
		fromNode bool
		want     kubeletprobe.Agreement
		why      string
	}{
		"ready, and the server says so":               {mutate.Readiness, ready, ready, all(passed), false, agree, "SERVING"},
		"ready, and the server denies it":             {mutate.Readiness, ready, ready, all(failed), false, disagree, "is ready"},
		"not ready, and the server says so":           {mutate.Readiness, unready, unready, all(failed), false, agree, "NOT_SERVING"},
		"not ready, and the server denies it":         {mutate.Readiness, unready, unready, all(passed), false, disagree, "is not ready"},
		"not ready yet, and the server says so":       {mutate.Readiness, fresh, fresh, all(passed), false, unsure, "long enough"},
		"silence from elsewhere":                      {mutate.Readiness, ready, ready, all(silent), false, unsure, "shows nothing from here"},
		"silence from the node":                       {mutate.Readiness, ready, ready, all(silent), true, disagree, "is ready"},
		"silence from the node of an unready one":     {mutate.Readiness, unready, unready, all(silent), true, agree, "refused"},
		"denied and silent from elsewhere":            {mutate.Readiness, ready, ready, []kubeletprobe.Answer{failed, silent}, false, unsure, "shows nothing"},
		"denied and silent from the node":             {mutate.Readiness, ready, ready, []kubeletprobe.Answer{failed, silent}, true, disagree, "is ready"},
		"sometimes one and sometimes the other":       {mutate.Readiness, ready, ready, []kubeletprobe.Answer{passed, failed, passed}, true, unsure, "2 of 3"},
		"no answers at all":                           {mutate.Readiness, ready, ready, nil, true, unsure, "not probed"},
		"its readiness changed":                       {mutate.Readiness, unready, ready, all(passed), true, unsure, "changed"},
		"it was restarted":                            {mutate.Readiness, ready, restarted, all(passed), true, unsure, "changed"},
		"it is starting":                              {mutate.Readiness, starting, starting, all(failed), true, unsure, "starting"},
		"it does not run any more":                    {mutate.Readiness, ready, kubeletprobe.Container{}, all(passed), true, unsure, "does not run"},
		"alive, and the server says so":               {mutate.Liveness, unready, unready, all(passed), false, agree, "SERVING"},
		"alive, and the server denies it":             {mutate.Liveness, ready, ready, all(failed), false, disagree, "not been restarted"},
		"alive for too short a time":                  {mutate.Liveness, young, young, all(failed), false, unsure, "too shortly"},
		"started, and the server says so":             {mutate.Startup, ready, ready, all(passed), false, agree, "SERVING"},
		"started and ready, and the server denies it": {mutate.Startup, ready, ready, all(failed), false, disagree, "not been restarted"},
		"started long ago, and ill now":               {mutate.Startup, unready, unready, all(failed), true, unsure, "long ago"},
	} {
		t.Run(name, func(t *testing.T) {
			got, why := kubeletprobe.Comparison{
				Kind: tc.kind, Before: tc.was, After: tc.is, Answers: tc.answers, FromNode: tc.fromNode, Patience: time.Minute,
			}.Judge()
			if got != tc.want || !strings.Contains(why, tc.why) {
				t.Errorf("%s: %s; want %s: %s", got, why, tc.want, tc.why)
			}
		})
	}
}

// all is three answers that are the same.
func all(a kubeletprobe.Answer) []kubeletprobe.Answer { return []kubeletprobe.Answer{a, a, a} }
