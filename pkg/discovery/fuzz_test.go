package discovery_test

import (
	"encoding/json"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/probeshift/probeshift/pkg/discovery/resource"
)

// FuzzAssign asks for any name with any Service and slices, as JSON, beside it.
func FuzzAssign(f *testing.F) {
	eachSeed(f, func(name string, service, slices []byte) { f.Add(name, service, slices) })
	f.Fuzz(func(t *testing.T, text string, serviceJSON, slicesJSON []byte) {
		name, err := resource.Parse(text)
		if err != nil {
			return
		}
		a := asked{name: name}
		if json.Unmarshal(serviceJSON, &a.service) != nil || json.Unmarshal(slicesJSON, &a.slices) != nil {
			return
		}
		for i := range a.slices {
			if a.slices[i] == nil {
				a.slices[i] = &discoveryv1.EndpointSlice{}
			}
		}
		sound(t, a)
		b := a.copied()
		if b.service != nil {
			b.service = strip(t, b.service)
		}
		for i, s := range b.slices {
			b.slices[i] = strip(t, s)
		}
		same(t, a.answer(), b.answer())
	})
}

// eachSeed gives the cases of testdata and a few that are not of the API's shape.
func eachSeed(f *testing.F, add func(name string, service, slices []byte)) {
	f.Helper()
	for _, g := range goldens(f) {
		service, err := json.Marshal(g.service)
		if err != nil {
			f.Fatal(err)
		}
		slices, err := json.Marshal(g.slices)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range g.names {
			add(name.String(), service, slices)
		}
	}
	add("a/b:1", []byte(`null`), []byte(`[null]`))
	add("a/b:1", []byte(`{}`), []byte(`[{"endpoints":[{"addresses":null}]}]`))
	add("a/b:1@z", []byte(`{"spec":{"clusterIP":"None","ipFamilies":["","IPv7"]}}`), []byte(`[]`))
}
