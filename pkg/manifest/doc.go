// Package manifest edits manifests: it finds the exec probes of
// grpc_health_probe in YAML and JSON files and writes the native probe in their
// place, byte for byte as it was everywhere else. It is pure: bytes go in, bytes
// and findings come out.
//
// Package mutate decides, on the Pod template decoded as the API server would
// decode it, so that a manifest and the webhook cannot disagree. This package
// knows where text is. A file each:
//
//   - documents.go: which part of a file is a document, and is it worth parsing?
//   - kinds.go, path.go: where does an object hold its Pod template?
//   - decode.go, decide.go: what does mutate say of the template?
//   - site.go, plan.go, share.go: which text has to change, and who else uses it
//     through an anchor?
//   - span.go, comments.go, write.go: from where to where does a block go, and what
//     is written in its place?
//   - compare.go: is everything else the same after the edit?
//   - template.go: what can be said of a file that no YAML parser reads?
//
// Positions of nodes come from go.yaml.in/yaml; no node is ever marshalled again.
package manifest
