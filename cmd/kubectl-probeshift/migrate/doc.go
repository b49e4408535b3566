// Package migrate is the command kubectl probeshift migrate: it finds manifests,
// has package manifest edit them, and shows, writes or checks the outcome.
package migrate
