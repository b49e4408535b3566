package migrate_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/migrate"
)

// TestAHostilePatchIsLookedIntoForAMoment: a test that hangs is what a regression
// looks like. What such a patch writes is not known, so its object is held.
func TestAHostilePatchIsLookedIntoForAMoment(t *testing.T) {
	laughs := "a0: &a0 [x]\n"
	for i := range 12 {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	for name, patch := range map[string]string{
		"aliases of aliases": "kind: Pod\nmetadata: {name: cart}\n" + laughs,
		"an alias of itself": "kind: Pod\nmetadata: {name: cart}\nspec: &s {a: *s, b: *s}\n",
		"no YAML":            "kind: Pod\nmetadata: [\n",
		"JSON with escapes":  `[{"op": "add", "path": "\/spec\/containers\/0\/livenessProbe\/exec", "value": {}}]`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "kustomization.yaml"), "resources: [cart.yaml]\npatches: [{path: patch.yaml, target: {kind: Pod, name: cart}}]\n")
			write(t, filepath.Join(dir, "patch.yaml"), patch)
			write(t, filepath.Join(dir, "cart.yaml"), legacy("cart"))
			if stdout, _, err := run(t, "", "-f", dir, "--check"); err != nil || !strings.Contains(stdout, " patched\n") {
				t.Errorf("%v\n%s", err, stdout)
			}
		})
	}
}

// TestOverlaysBesideTheBaseHoldItsProbes: what is migrated is the base alone, and the
// overlay is only in its repository.
func TestOverlaysBesideTheBaseHoldItsProbes(t *testing.T) {
	const patch = "patches: [{patch: '{apiVersion: v1, kind: Pod, metadata: {name: cart}, spec: {containers: [{name: server, livenessProbe: {exec: {command: [x]}}}]}}'}]\n"
	for name, tc := range map[string]struct {
		files map[string]string
		held  bool
	}{
		"an overlay":              {map[string]string{".git/x": "", "overlays/prod/kustomization.yaml": "resources: [../../base]\n" + patch}, true},
		"an overlay of a file":    {map[string]string{".git/x": "", "prod/Kustomization": "resources: [../base/cart.yaml]\n" + patch}, true},
		"an overlay of overlays":  {map[string]string{".git/x": "", "a/kustomization.yaml": "bases: [../b]\n" + patch, "b/kustomization.yml": "bases: [../base]\n"}, true},
		"a component":             {map[string]string{".git/x": "", "a/kustomization.yaml": "resources: [../base]\ncomponents: [../c]\n", "c/kustomization.yaml": "kind: Component\n" + patch}, true},
		"transformers":            {map[string]string{".git": "gitdir: elsewhere\n", "a/kustomization.yaml": "resources: [../base]\ntransformers: [t.yaml]\n"}, true},
		"overlays in a circle":    {map[string]string{".git/x": "", "a/kustomization.yaml": "resources: [../b, ../base]\n" + patch, "b/kustomization.yaml": "resources: [../a]\n"}, true},
		"an overlay of another":   {map[string]string{".git/x": "", "a/kustomization.yaml": "resources: [../other]\n" + patch, "other/kustomization.yaml": "resources: [cart.yaml]\n"}, false},
		"a module of a language":  {map[string]string{".git/x": "", "vendor/a/kustomization.yaml": "resources: [../../base]\n" + patch}, false},
		"no repository":           {map[string]string{"a/kustomization.yaml": "resources: [../base]\n" + patch}, false},
		"an overlay that renames": {map[string]string{".git/x": "", "a/kustomization.yaml": "resources: [../base]\nnamePrefix: my-\n" + strings.ReplaceAll(patch, "name: cart", "name: my-cart")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "base", "kustomization.yaml"), "resources: [cart.yaml]\n")
			write(t, filepath.Join(dir, "base", "cart.yaml"), legacy("cart"))
			for path, content := range tc.files {
				write(t, filepath.Join(dir, path), content)
			}
			stdout, _, _ := run(t, "", "-f", filepath.Join(dir, "base"), "--check")
			if held := strings.Contains(stdout, " patched\n"); held != tc.held {
				t.Errorf("held is %t:\n%s", held, stdout)
			}
		})
	}
}

func TestALargeRepositoryIsSearchedForAWhile(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{"a", "b", ".git/c", "vendor/d"} {
		write(t, filepath.Join(dir, path), "")
	}
	const entries = 5 // the root, two files and two directories that are passed over
	if !migrate.Search(dir, entries) || migrate.Search(dir, entries-1) {
		t.Error("it does not count what it looks at, or does not tell that there is more")
	}
}
