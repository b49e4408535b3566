package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/exit"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/output"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/screen"
	"github.com/probeshift/probeshift/pkg/manifest"
	"github.com/probeshift/probeshift/pkg/mutate"
)

// mode is what is done with the outcome.
type mode int

const (
	// show prints a diff.
	show mode = iota
	// write changes the files.
	write
	// check prints findings, and exits with code 2 where something would change.
	check
)

// run is one run of the command.
type run struct {
	streams   genericiooptions.IOStreams
	filenames []string
	mode      mode
	edits     manifest.Options
	held      []held
	format    output.Format
	files     files
	getenv    func(string) string
	diffs     diffs
}

// do reads the files, a few at a time, and tells of them in their order. A signal
// ends it between two files.
func (r *run) do(ctx context.Context) error {
	sources, err := findSources(r.filenames)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	r.held = sources.kustomizations.held(shownPath)
	if r.mode == show {
		r.diffs = diffsOf(sources.all)
	}
	report := newReport(r)
	report.errs = sources.errs
	for _, note := range sources.notes {
		if r.format.Table() {
			report.screen.Wrapped("note: ", note)
		}
	}
	progress := screen.NewProgress(r.streams.ErrOut, "files")
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	// Parsed files live for a moment: collecting less often costs some tens of
	// megabytes and saves a quarter of the time.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	done, named := 0, make([]bool, len(r.edits.Paths))
	for result := range r.editAll(ctx, sources.all) {
		if ctx.Err() != nil {
			break // before the next file is written
		}
		if r.mode == write && result.err == nil && result.Changed {
			r.write(&result)
		}
		if r.format.Table() && (len(result.Findings) > 0 || len(result.notes) > 0) {
			progress.Done() // the line of the bar is for what is told now
		}
		report.add(result)
		for _, i := range result.named {
			named[i] = true
		}
		progress.Set(done, len(sources.all))
		done++
	}
	progress.Done()
	var stopped error
	if done < len(sources.all) {
		stopped = fmt.Errorf("migrate: interrupted after %d of %d files: each is either as it was or done; run it again for the rest", done, len(sources.all))
	} else {
		r.warnOfPaths(named)
	}
	if err := errors.Join(stopped, report.finish(), r.unreadable(report.unread)); err != nil {
		return err
	}
	if r.mode == check && report.Totals.WouldRewrite > 0 {
		return exit.Finding(fmt.Sprintf("%d probes would be rewritten", report.Totals.WouldRewrite))
	}
	return nil
}

// unreadable is the error of --check for files in which nobody looked for probes;
// CI would be green otherwise.
func (r *run) unreadable(n int) error {
	if r.mode != check || n == 0 {
		return nil
	}
	return fmt.Errorf("migrate: probes were not looked for in %s: correct what does not parse", count(n, "file"))
}

// warnOfPaths tells of paths whose kind no file names, which is mostly a typing
// error.
func (r *run) warnOfPaths(named []bool) {
	told := screen.New(r.streams.ErrOut, r.getenv)
	for i, path := range r.edits.Paths {
		if !named[i] {
			told.Wrapped("warning: ", path.Unmatched())
		}
	}
}

// edited is a file with what became of it.
type edited struct {
	source
	manifest.Result
	// before is the file as it was, where it changes, and input stdin as it came.
	before, input []byte
	// stamp says whether the file on disk is still the one that was read.
	stamp os.FileInfo
	// written says that the file holds the result now; notes are what a person
	// should know about that.
	written bool
	notes   []string
	err     error
	// named are the paths of the user's whose kinds it names, by their index.
	named []int
}

// editAll edits the files in as many goroutines as there are CPUs, and returns
// them in order. Only a few are in memory at any time.
func (r *run) editAll(ctx context.Context, all []source) <-chan edited {
	workers := runtime.GOMAXPROCS(0)
	queue := make(chan chan edited, 2*workers)
	out := make(chan edited)
	go func() {
		defer close(queue)
		for _, s := range all {
			slot := make(chan edited, 1)
			select {
			case queue <- slot:
			case <-ctx.Done():
				return
			}
			go func() { slot <- r.edit(s) }()
		}
	}()
	go func() {
		defer close(out)
		for slot := range queue {
			select {
			case out <- <-slot:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// edit reads a file and edits it in memory.
func (r *run) edit(s source) edited {
	e := edited{source: s}
	if s.real == stdin {
		e.before, e.err = io.ReadAll(r.streams.In)
		e.input = e.before
	} else {
		e.before, e.stamp, e.err = readFile(s.real)
	}
	if e.err != nil {
		e.err = fmt.Errorf("read %s: %w", shownPath(s.path), plainCause(e.err))
		return e
	}
	if (s.real == stdin || s.pipe) && manifest.Empty(e.before) { // a pipeline ends well although its first command failed
		e.err = fmt.Errorf("%s is empty: the command before the pipe may have failed", shownPath(s.path))
		return e
	}
	for i, path := range r.edits.Paths {
		if path.MayMatch(e.before) {
			e.named = append(e.named, i)
		}
	}
	options := r.edits
	options.Patch, options.Template = s.patch, manifest.IsTemplate(s.path)
	if !s.patch {
		options.Held = heldIn(r.held, s.real)
	}
	e.Result, e.err = manifest.Edit(e.before, options)
	if e.err != nil {
		e.err = fmt.Errorf("%s: %w", shownPath(s.path), e.err)
	}
	if !e.Changed {
		e.before, e.Content = nil, nil
	}
	if r.mode != write {
		e.planned()
	}
	return e
}

// readFile reads a file and what the system knows of it, of one and the same.
func readFile(path string) ([]byte, os.FileInfo, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	content := make([]byte, 0, info.Size()+1)
	for {
		n, err := file.Read(content[len(content):cap(content)])
		content = content[:len(content)+n]
		if errors.Is(err, io.EOF) {
			return content, info, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if len(content) == cap(content) {
			content = append(content, 0)[:len(content)]
		}
	}
}

// planned tells the findings as something that is not done.
func (e *edited) planned() {
	for i := range e.Findings {
		if f := &e.Findings[i]; f.Outcome == mutate.Rewritten {
			f.Outcome = mutate.WouldRewrite
			f.Sentence = mutate.Finding{Outcome: f.Outcome, GRPC: f.GRPC}.Sentence()
		}
	}
}

// write writes a file that changes, or stdin's result to stdout.
func (r *run) write(e *edited) {
	if e.real == stdin {
		_, e.err = r.streams.Out.Write(e.Content)
		e.written = e.err == nil
		return
	}
	if e.pipe {
		e.err = fmt.Errorf("write %s: it is no regular file: use -f - --write as a filter", shownPath(e.path))
		e.planned()
		return
	}
	if e.notes, e.err = replace(r.files, e.real, e.stamp, e.Content); e.err != nil {
		e.err = fmt.Errorf("write %s: %w; the file is as it was", shownPath(e.path), plainCause(e.err))
		e.planned()
		return
	}
	if e.real != absolute(e.path) {
		e.notes = append(e.notes, "a link: "+shownPath(e.real)+" was replaced, the link stays")
	}
	e.written = true
}

// plainCause takes the operation and the path from an error of package os, since
// the message names both.
func plainCause(err error) error {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return path.Err
	}
	return err
}

// shownPath is a path below the working directory where it is there, and else as
// it is.
func shownPath(path string) string {
	if path == stdin {
		return "stdin"
	}
	if !filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	if dir, err := os.Getwd(); err == nil {
		if relative, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(relative) {
			return relative
		}
	}
	return path
}

func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}
