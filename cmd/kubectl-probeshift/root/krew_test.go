package root_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"text/template"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/root"
)

// plugin is what krew reads of a manifest (sigs.k8s.io/krew/pkg/index).
type plugin struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Version          string     `json:"version"`
		ShortDescription string     `json:"shortDescription"`
		Description      string     `json:"description"`
		Caveats          string     `json:"caveats"`
		Homepage         string     `json:"homepage"`
		Platforms        []platform `json:"platforms"`
	} `json:"spec"`
}

type platform struct {
	URI      string `json:"uri"`
	Sha256   string `json:"sha256"`
	Bin      string `json:"bin"`
	Selector struct {
		MatchLabels map[string]string `json:"matchLabels"`
	} `json:"selector"`
}

// released fills the manifest in as krew-release-bot does for a release.
func released(t *testing.T) plugin {
	t.Helper()
	const tag = "v1.2.3"
	text, err := os.ReadFile("../../../deploy/krew/probeshift.yaml")
	if err != nil {
		t.Fatal(err)
	}
	filled, err := template.New("plugin").Funcs(template.FuncMap{"addURIAndSha": func(uri, version string) string {
		uri = strings.ReplaceAll(uri, "{{ .TagName }}", version)
		return "uri: " + uri + "\n      sha256: " + strings.Repeat("0", 64)
	}}).Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := filled.Execute(&out, map[string]string{"TagName": tag}); err != nil {
		t.Fatal(err)
	}
	var p plugin
	if err := yaml.UnmarshalStrict(out.Bytes(), &p); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return p
}

func TestTheKrewManifestIsWhatKrewTakes(t *testing.T) {
	p := released(t)
	if p.APIVersion != "krew.googlecontainertools.github.com/v1alpha2" || p.Kind != "Plugin" || p.Metadata.Name != "probeshift" || p.Spec.Version != "v1.2.3" {
		t.Errorf("%+v", p)
	}
	if n := len(p.Spec.ShortDescription); n == 0 || n > 50 {
		t.Errorf("a short description of %d characters", n)
	}
	var seen []string
	for _, each := range p.Spec.Platforms {
		name := each.Selector.MatchLabels["os"] + "_" + each.Selector.MatchLabels["arch"]
		if slices.Contains(seen, name) || !strings.HasSuffix(each.URI, "/v1.2.3/kubectl-probeshift_"+name+".tar.gz") {
			t.Errorf("%s is there twice, or its archive is called otherwise: %s", name, each.URI)
		}
		if want := map[bool]string{true: "kubectl-probeshift.exe", false: "kubectl-probeshift"}[each.Selector.MatchLabels["os"] == "windows"]; each.Bin != want {
			t.Errorf("%s: program %s, want %s", name, each.Bin, want)
		}
		seen = append(seen, name)
	}
	if len(seen) < 5 {
		t.Errorf("platforms: %v", seen)
	}
}

func TestTheKrewManifestSpeaksOfTheCommandsThatThereAre(t *testing.T) {
	p := released(t)
	if !strings.Contains(p.Spec.Caveats, "kubectl probeshift completion install") {
		t.Error("the caveats do not tell how completion is set up")
	}
	for _, c := range root.New(genericiooptions.NewTestIOStreamsDiscard()).Commands() {
		if name := c.Name(); c.IsAvailableCommand() && name != "completion" && name != "version" && !strings.Contains(p.Spec.Description, "\n"+name+" ") {
			t.Errorf("the description leaves %s out", name)
		}
	}
}
