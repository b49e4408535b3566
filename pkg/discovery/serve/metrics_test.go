package serve

import (
	"slices"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// metric is the value of a metric with a reason, of any if that is empty; of a
// histogram its count.
func (b *bubble) metric(name, why string) float64 {
	b.t.Helper()
	families, err := b.registry.Gather()
	if err != nil {
		b.t.Fatal(err)
	}
	at := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "probeshift_discovery_"+name })
	if at < 0 {
		b.t.Fatalf("there is no metric %s", name)
	}
	var sum float64
	for _, m := range families[at].GetMetric() {
		if why == "" || slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetValue() == why }) {
			sum += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

func TestMetricsTellWhatIsServed(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		want := func(when string, streams, subscriptions, resources, empty, pushes, timed float64) {
			t.Helper()
			for name, value := range map[string]float64{
				"streams": streams, "subscriptions": subscriptions, "resources": resources,
				"empty_assignments": empty, "pushes_total": pushes, "push_seconds": timed, "rejected_total": 0, "refused_total": 0,
			} {
				if got := b.metric(name, ""); got != value {
					t.Errorf("%s: %s is %v, want %v", when, name, got, value)
				}
			}
		}
		want("at the start", 0, 0, 0, 0, 0, 0)
		one, two := b.sidecar(nil, greeter), b.sidecar(nil, greeter, "shop/nobody:9000")
		one.settle(moment)
		two.settle(moment)
		want("two sidecars", 2, 3, 1, 0, 2, 0)
		b.slice("greeter", "greeter-a", "10.244.0.3")
		one.settle(pushed)
		two.settle(moment)
		want("a change", 2, 3, 1, 0, 4, 2)
		b.noService("greeter")
		one.settle(vanishedAfter + pushed)
		two.settle(moment)
		want("the Service is gone", 2, 3, 1, 1, 6, 4)
		// What was there when a sidecar came is no change to it.
		three := b.sidecar(nil, greeter)
		three.settle(moment)
		want("a third", 3, 4, 1, 1, 7, 4)
		for _, s := range []*sidecar{one, two, three} {
			s.close()
		}
		time.Sleep(moment)
		want("at the end", 0, 0, 0, 0, 7, 4)
		if b.metric("ready", "") != 1 {
			t.Error("it does not say that it is ready")
		}
		b.stop()
		if b.metric("ready", "") != 0 {
			t.Error("it says that it is ready, and has stopped")
		}
	})
}
