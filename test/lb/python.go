package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// grpcio is Python's grpc, a client on top of gRPC's C core.
const grpcio = "grpcio==1.85.1"

// pythonClient makes calls with it.
//
//go:embed client.py
var pythonClient string

// fetchPython returns the folder of Python's grpc, fetched once from PyPI into
// the user's cache.
func fetchPython(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	tools := filepath.Join(cache, "probeshift", "tools")
	dir := filepath.Join(tools, grpcio)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	if err := os.MkdirAll(tools, 0o755); err != nil { //nolint:gosec // a cache of programs
		return "", err
	}
	making, err := os.MkdirTemp(tools, ".making-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(making) //nolint:errcheck // nothing is left there when it went well
	fmt.Fprintln(os.Stderr, "fetching", grpcio+", once")
	if err := command(ctx, "python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", making, grpcio); err != nil {
		return "", fmt.Errorf("fetching Python's grpc: %w", err)
	}
	if err := os.Rename(making, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return dir, nil
}

// callPython makes n calls of a kind over one channel of Python's grpc.
func (b *bed) callPython(ctx context.Context, target, kind string, n int) (spread, error) {
	python := exec.CommandContext(ctx, "python3", "-c", pythonClient, target, kind, strconv.Itoa(n), strconv.Itoa(messages))
	python.Env = append(os.Environ(), "PYTHONPATH="+b.python)
	var said, complaint bytes.Buffer
	python.Stdout, python.Stderr = &said, &complaint
	if err := python.Run(); err != nil {
		return nil, fmt.Errorf("calling from Python: %w: %s", err, lastLines(complaint.String(), 5))
	}
	counts := spread{}
	err := json.Unmarshal(said.Bytes(), &counts)
	return counts, err
}
