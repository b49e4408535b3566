package migrate_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
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
