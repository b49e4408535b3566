package certs

import "fmt"

// Kind says whose certificates a source keeps: who verifies them, and where
// its CA is published for that.
type Kind int

// The kinds.
const (
	// Webhook serves API servers. Its CA stands in the caBundle of the
	// MutatingWebhookConfiguration.
	Webhook Kind = iota
	// Discovery serves sidecars. Its CA stands in a ConfigMap, from which the
	// webhook copies it into each sidecar that it injects.
	Discovery
)

// words are what a source says, in the terms of its kind.
type words struct {
	subject   string // of the certificates
	object    string // that the CA is published in
	field     string // of the object
	entry     string // what an entry of the object is called
	everyone  string // where the CA must be before a leaf is of use
	clients   string // who verify the leaf
	untrusted string // what a CA that is used at once means for them
	unproved  string // the remedy where the leaf does not verify
	rights    string // the remedy where the API server refuses a call
	reason    string // how the reasons of Events about the object begin
	fought    string // the remedy where somebody takes the CA away
}

// words returns the words of the options' kind.
func (o Options) words() words {
	if o.Kind == Discovery {
		object := fmt.Sprintf("ConfigMap %s/%s", o.Namespace, o.ConfigMap)
		return words{
			subject:   "probeshift discovery",
			object:    object,
			field:     keyBundle,
			entry:     "key",
			everyone:  keyBundle + " of " + object,
			clients:   "sidecars",
			untrusted: "sidecars that were injected before it was published do not hear of changes until their Pods are made again",
			unproved:  "see the log for why it is not put right",
			rights:    "apply the roles of deploy/webhook/components/lb-discovery again",
			reason:    "CAConfigMap",
			fought:    "leave the key alone; it is written at run time, so take the ConfigMap out of what is applied",
		}
	}
	object := "MutatingWebhookConfiguration " + o.Configuration
	return words{
		subject:   "probeshift webhook",
		object:    object,
		field:     "caBundle",
		entry:     "webhook",
		everyone:  "caBundle of every webhook of " + object,
		clients:   "API servers",
		untrusted: fmt.Sprintf("API servers that have not seen it yet do not call the webhook for up to %s", o.Settle),
		unproved:  "correct clientConfig, or add the name with --extra-names",
		rights:    "apply the Role and ClusterRole of deploy/webhook again",
		reason:    "CABundle",
		fought: "leave the field clientConfig.caBundle alone " +
			"(kubectl apply instead of kubectl replace; Argo CD: ignoreDifferences and no Replace=true; Flux: no force)",
	}
}

// flag returns the flag that sets an option of the options' kind, without the
// leading dashes. Options that both kinds have go by the webhook's flag.
func (o Options) flag(name string) string {
	switch {
	case o.Kind == Webhook || name == "namespace":
		return name
	case name == "cert-secret":
		return "discovery-secret"
	}
	return "discovery-" + name
}
