// Command image builds an image of the webhook, or of the plugin for kubectl, for several platforms and writes it
// as one OCI image layout in a tar file, without a container engine:
//
//	go run ./hack/image --output dist/webhook.tar
//
// An image of one static program is a handful of small files around a tar
// archive, so the standard library is all it takes: no engine, no daemon, no
// rights, no base image to fetch, and the same bytes for the same commit.
// docker load, podman load, ctr images import, skopeo and crane read the
// result. Where an engine is at hand the Dockerfile beside this file makes the
// same image.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

// The programs.
const (
	webhook = "webhook"
	plugin  = "kubectl-probeshift"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// run builds what the arguments ask for and says what came of it.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	of := flags.String("program", webhook, webhook+" or "+plugin)
	output := flags.String("output", filepath.Join("dist", "webhook.tar"), "file to write")
	name := flags.String("name", "", "name and tag that loading the file gives the image (default localhost/probeshift/PROGRAM:dev)")
	architectures := flags.String("architectures", "amd64,arm64", "architectures to build for, all of them Linux")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *of != webhook && *of != plugin {
		return fmt.Errorf("--program is %q: write %s or %s", *of, webhook, plugin)
	}
	if *name == "" {
		*name = "localhost/probeshift/" + *of + ":dev"
	}

	work, err := os.MkdirTemp("", "image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) //nolint:errcheck // a leftover in the temporary directory harms nobody

	var images []image
	for architecture := range strings.SplitSeq(*architectures, ",") {
		program, err := build(ctx, work, *of, architecture)
		if err != nil {
			return err
		}
		built, err := newImage(program)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "linux/%s %s: %.1f MB compressed\n", architecture, program.version, float64(built.size())/1e6)
		images = append(images, built)
	}
	if err := os.MkdirAll(filepath.Dir(*output), 0o755); err != nil {
		return err
	}
	if err := writeLayout(*output, *name, images); err != nil {
		return fmt.Errorf("write %s: %w", *output, err)
	}
	fmt.Fprintf(out, "%s is in %s\n", *name, *output)
	return nil
}
