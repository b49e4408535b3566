// Package installed is what tests share that run the command of cmd/webhook as it
// is installed: by the objects of deploy/webhook, under the token of a
// ServiceAccount, and in processes of their own.
package installed
