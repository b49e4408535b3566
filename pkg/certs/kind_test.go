package certs

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestASourceSpeaksOfItsOwnKindAlone(t *testing.T) {
	for _, test := range []struct {
		options Options
		has     string
		hasNot  []string
	}{
		{DefaultOptions(), "MutatingWebhookConfiguration grpc-probeshift", []string{"ConfigMap", "sidecars", "discovery"}},
		{DefaultDiscoveryOptions(), "ConfigMap probeshift/probeshift-discovery-ca", []string{"MutatingWebhookConfiguration", "caBundle", "API servers", "clientConfig"}},
	} {
		w := test.options.words()
		text := fmt.Sprintf("%+v", w)
		if !strings.Contains(text, test.has) {
			t.Errorf("%q does not name %s", text, test.has)
		}
		for _, other := range test.hasNot {
			if strings.Contains(text, other) {
				t.Errorf("%q speaks of %s", text, other)
			}
		}
		for i, all := 0, reflect.ValueOf(w); i < all.NumField(); i++ {
			if all.Field(i).String() == "" {
				t.Errorf("%s has no word for %s", test.has, all.Type().Field(i).Name)
			}
		}
	}
}

// Every flag that an error may name is one that there is.
func TestErrorsNameFlagsThatThereAre(t *testing.T) {
	flags := pflag.NewFlagSet("webhook", pflag.ContinueOnError)
	webhook, discovery := DefaultOptions(), DefaultDiscoveryOptions()
	webhook.AddFlags(flags)
	discovery.AddDiscoveryFlags(flags)
	for _, test := range []struct {
		options Options
		names   []string
	}{
		{webhook, []string{"namespace", "cert-secret", "service", "webhook-configuration", "extra-names", "ca-life", "leaf-life", "settle-time", "retire-margin"}},
		{discovery, []string{"namespace", "cert-secret", "service", "configmap", "ca-life", "leaf-life", "settle-time", "retire-margin", "overlap"}},
	} {
		for _, name := range test.names {
			if flag := test.options.flag(name); flags.Lookup(flag) == nil {
				t.Errorf("there is no --%s", flag)
			}
		}
	}
}
