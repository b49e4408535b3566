package server

import (
	"io"
	"log/slog"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime/pkg/log"
)

// newLogger returns a logger that writes one line an event. The verbosity is
// logr's: V(n) is written when n is at most that.
func newLogger(w io.Writer, format string, verbosity int) logr.Logger {
	options := &slog.HandlerOptions{Level: slog.Level(-verbosity)}
	if format == "text" {
		return logr.FromSlogHandler(slog.NewTextHandler(w, options))
	}
	return logr.FromSlogHandler(slog.NewJSONHandler(w, options))
}

// adoptLogs sends what libraries log through their own global loggers to
// log, too: controller-runtime, klog, and net/http by the standard library's.
func adoptLogs(log logr.Logger) {
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	slog.SetDefault(slog.New(logr.ToSlogHandler(log)))
}
