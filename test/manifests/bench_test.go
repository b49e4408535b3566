package manifests_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/exit"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/migrate"
)

// benchFiles is how many files of 20 KB the benchmark makes.
var benchFiles = flag.Int("files", 10000, "how many files the benchmark of migrate makes")

// BenchmarkMigrate compares migrate with a loop that reads the same files, and with
// one that reads and parses them by the same library, one after the other and in as
// many goroutines as there are CPUs. It reports ratios; run it by make bench-migrate.
func BenchmarkMigrate(b *testing.B) {
	for _, shape := range []struct {
		name    string
		file    func(i int) string
		percent int
	}{
		{"one document, all with a probe", oneDocument, 100},
		{"five documents, all with a probe", fiveDocuments, 100},
		{"five documents, 1 percent with a probe", fiveDocuments, 1},
	} {
		b.Run(shape.name, func(b *testing.B) {
			dir := b.TempDir()
			size := writeFiles(b, dir, shape.file, shape.percent)
			readAll(b, dir, false, 1) // everything is in the page cache from here on
			for b.Loop() {
				reading := timed(func() { readAll(b, dir, false, 1) })
				parsing := timed(func() { readAll(b, dir, true, 1) })
				together := timed(func() { readAll(b, dir, true, runtime.GOMAXPROCS(0)) })
				var peak uint64
				checking := timed(func() { peak = peakOf(func() { migrateFiles(b, dir, "--check") }) })
				showing := timed(func() { migrateFiles(b, dir) })
				b.ReportMetric(float64(size)/1e6, "MB")
				b.ReportMetric(reading.Seconds(), "s-reading")
				b.ReportMetric(parsing.Seconds(), "s-parsing")
				b.ReportMetric(together.Seconds(), "s-parsing-parallel")
				b.ReportMetric(checking.Seconds(), "s-check")
				b.ReportMetric(showing.Seconds(), "s-diff")
				b.ReportMetric(checking.Seconds()/reading.Seconds(), "check/reading")
				b.ReportMetric(checking.Seconds()/parsing.Seconds(), "check/parsing")
				b.ReportMetric(checking.Seconds()/together.Seconds(), "check/parsing-parallel")
				b.ReportMetric(showing.Seconds()/parsing.Seconds(), "diff/parsing")
				b.ReportMetric(float64(peak)/1e6, "MB-heap")
			}
		})
	}
}

func timed(do func()) time.Duration {
	start := time.Now()
	do()
	return time.Since(start)
}

// peakOf is the largest heap seen while something is done, in bytes.
func peakOf(do func()) uint64 {
	debug.FreeOSMemory()
	stop, stopped := make(chan struct{}), make(chan uint64)
	go func() {
		var peak uint64
		for {
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			peak = max(peak, stats.HeapInuse)
			select {
			case <-stop:
				stopped <- peak
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	do()
	close(stop)
	return <-stopped
}

// migrateFiles runs migrate on a directory.
func migrateFiles(b *testing.B, dir string, flags ...string) {
	b.Helper()
	command := migrate.New(genericiooptions.IOStreams{In: strings.NewReader(""), Out: io.Discard, ErrOut: io.Discard})
	command.SilenceErrors, command.SilenceUsage = true, true
	command.SetArgs(append([]string{"-f", dir}, flags...))
	if err := command.ExecuteContext(b.Context()); exit.Code(err) == exit.Error {
		b.Fatal(err)
	}
}

// readAll reads all files, and parses them if asked to, in some goroutines.
func readAll(b *testing.B, dir string, parse bool, workers int) {
	b.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*", "*.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	queue := make(chan string)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for name := range queue {
				content, err := os.ReadFile(name)
				if err == nil && parse {
					err = parseAll(content)
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	for _, name := range names {
		queue <- name
	}
	close(queue)
	group.Wait()
}

func parseAll(content []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var document yaml.Node
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// writeFiles makes the files, of which a share holds a probe, and returns their
// size.
func writeFiles(b *testing.B, dir string, file func(int) string, percent int) (size int) {
	b.Helper()
	for i := range *benchFiles {
		text := file(i)
		if i%100 >= percent {
			text = strings.ReplaceAll(text, "/bin/grpc_health_probe", "/bin/true")
		}
		path := filepath.Join(dir, fmt.Sprintf("%03d", i/100), fmt.Sprintf("%05d.yaml", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
		size += len(text)
	}
	return size
}

// oneDocument is a Deployment of 20 KB: everything is parsed, and again after the
// edit.
func oneDocument(i int) string {
	var env strings.Builder
	for n := range 200 {
		fmt.Fprintf(&env, "        - name: SETTING_%03d   # what it is for\n          value: \"%s %d\"\n", n, strings.Repeat("value", 8), n)
	}
	return fmt.Sprintf(deployment, i, i, i, env.String())
}

// fiveDocuments is a Deployment beside its settings, 20 KB together, as most
// repositories have them.
func fiveDocuments(i int) string {
	text := fmt.Sprintf(deployment, i, i, i, "")
	for n := range 4 {
		text += fmt.Sprintf("---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings-%d-%d\ndata:\n", i, n)
		for k := range 75 {
			text += fmt.Sprintf("  key-%d: \"%s %d\"   # a comment\n", k, strings.Repeat("value", 7), k)
		}
	}
	return text
}

const deployment = `# Deployment %d
apiVersion: apps/v1
kind: Deployment
metadata:
  name: service-%d
spec:
  selector:
    matchLabels: {app: service}
  template:
    metadata:
      labels: {app: service}
    spec:
      containers:
      - name: server
        image: example.com/service:%d
        ports:
        - containerPort: 8080
        livenessProbe:
          exec:
            command: ["/bin/grpc_health_probe", "-addr=:8080"]
          periodSeconds: 10
          timeoutSeconds: 5
        env:
        - {name: PORT, value: "8080"}
%s`
