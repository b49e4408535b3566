package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// program is the webhook or the plugin, built for one architecture of Linux.
type program struct {
	name         string
	architecture string
	content      []byte
	// version, revision and created are what the Go toolchain stamped from git:
	// the tag or pseudo-version, the commit, and when that was made.
	version, revision string
	created           time.Time
}

// build builds a program of cmd into a directory: static, without the machine's
// paths, with what git knows.
func build(ctx context.Context, dir, name, architecture string) (program, error) {
	path := filepath.Join(dir, name+"-"+architecture)
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=auto", "-ldflags", "-s -w",
		"-o", path, "github.com/probeshift/probeshift/cmd/"+name)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture)
	command.Stderr = os.Stderr
	if err := command.Run(); err != nil {
		return program{}, fmt.Errorf("build for linux/%s: %w", architecture, err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return program{}, err
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return program{}, fmt.Errorf("read what was stamped into the program: %w", err)
	}
	p := program{name: name, architecture: architecture, content: content, version: info.Main.Version, created: time.Unix(0, 0).UTC()}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			p.revision = setting.Value
		case "vcs.time":
			if p.created, err = time.Parse(time.RFC3339, setting.Value); err != nil {
				return program{}, fmt.Errorf("read the commit's time: %w", err)
			}
		}
	}
	return p, nil
}
