package manifest

import (
	"errors"
	"slices"

	"go.yaml.in/yaml/v3"
)

// errNoPlace says that a probe cannot be written out in its own place.
var errNoPlace = errors.New("the probe has no place of its own")

// writeOut writes a probe out that its container has through an alias or a merge,
// so that the block it shares stays as it is.
func (d *document) writeOut(r *rewrite) ([]edit, error) {
	s := r.site
	own := s.inContainer.owner
	if s.inContainer.merge != nil {
		own = s.inContainer.merge.owner
	}
	if s.aliased || d.reach(own) != 1 {
		return nil, errNoPlace
	}
	at, err := d.text.head(own)
	if err != nil {
		return nil, err
	}
	st := style{eol: d.text.eol(at), step: stepOf(own)}
	if k := s.exec.key(); k.Style&yaml.DoubleQuotedStyle != 0 {
		st.quote = `"`
	}
	switch {
	case s.inContainer.merge != nil:
		return d.addProbe(r, st)
	case s.inContainer.value().Kind == yaml.AliasNode:
		return d.spellAlias(r, st)
	case s.exec.merge != nil:
		return d.spellMerge(r, st)
	}
	return nil, errNoPlace
}

// fields are the fields of the probe as they are to be written out. Only
// scalars are copied; a probe has nothing else beside its handler.
func (d *document) fields(r *rewrite, st style, skip func(key string) bool) ([]pair, error) {
	var pairs []pair
	for _, f := range fieldsOf(r.site.mapping()) {
		value := target(f.value)
		switch {
		case skip(f.key):
		case f.key == "exec":
			pairs = append(pairs, pair{key: "grpc", below: nativePairs(r.decision.finding.GRPC, st, comments{})})
		case f.key == "timeoutSeconds" && r.newTimeout() != "":
			pairs = append(pairs, pair{key: f.key, value: r.newTimeout()})
		case value.Kind != yaml.ScalarNode || value.Tag != "!!int" || value.Style&yaml.TaggedStyle != 0:
			return nil, errNoPlace
		default:
			pairs = append(pairs, pair{key: f.key, value: value.Value})
		}
	}
	return pairs, nil
}

func nothing(string) bool { return false }

// addProbe writes the probe as a field of the container's own beside the merge,
// which it overrides.
func (d *document) addProbe(r *rewrite, st style) ([]edit, error) {
	fields, err := d.fields(r, st, nothing)
	if err != nil {
		return nil, err
	}
	container := r.site.inContainer.merge.owner
	key := container.Content[r.site.inContainer.merge.index]
	from, err := d.text.head(key)
	if err != nil {
		return nil, err
	}
	probe := []pair{{key: string(r.site.kind) + "Probe", below: fields}}
	if container.Style&yaml.FlowStyle != 0 {
		return []edit{{span{from, from}, st.flow(probe) + ", "}}, nil
	}
	to, err := d.text.end(container.Content[r.site.inContainer.merge.index+1], container)
	if err != nil {
		return nil, err
	}
	to = d.text.lineEnd(to)
	indent := key.Column - 1
	return []edit{{span{to, to}, st.newLine(indent) + st.block(probe, indent)}}, nil
}

// spellAlias writes the probe in the place of the alias that stands for it.
func (d *document) spellAlias(r *rewrite, st style) ([]edit, error) {
	fields, err := d.fields(r, st, nothing)
	if err != nil {
		return nil, err
	}
	container, alias := r.site.inContainer.owner, r.site.inContainer.value()
	from, err := d.text.head(alias)
	if err != nil {
		return nil, err
	}
	to := from + 1 + len(alias.Value)
	if container.Style&yaml.FlowStyle != 0 {
		return []edit{{span{from, to}, "{" + st.flow(fields) + "}"}}, nil
	}
	for from > 0 && isBlank(d.text.src[from-1]) {
		from--
	}
	indent := r.site.inContainer.key().Column - 1 + st.step
	return []edit{{span{from, to}, st.newLine(indent) + st.block(fields, indent)}}, nil
}

// spellMerge writes what the probe merges in the place of the merge.
func (d *document) spellMerge(r *rewrite, st style) ([]edit, error) {
	probe, merge := r.site.exec.merge.owner, r.site.exec.merge.index
	var own []string
	for i := 0; i+1 < len(probe.Content); i += 2 {
		if i != merge && isMerge(probe.Content[i]) {
			return nil, errNoPlace
		}
		own = append(own, probe.Content[i].Value)
	}
	fields, err := d.fields(r, st, func(key string) bool { return slices.Contains(own, key) })
	if err != nil {
		return nil, err
	}
	key := probe.Content[merge]
	from, err := d.text.head(key)
	if err != nil {
		return nil, err
	}
	to, err := d.text.end(probe.Content[merge+1], probe)
	if err != nil {
		return nil, err
	}
	text := st.flow(fields)
	if probe.Style&yaml.FlowStyle == 0 {
		text = st.block(fields, key.Column-1)
	}
	edits := []edit{{span{from, to}, text}}
	if timeout := r.site.timeout; r.newTimeout() != "" && timeout.merge == nil {
		e, err := d.text.replaceScalar(*timeout, r.decision.finding.NewTimeoutSeconds)
		if err != nil {
			return nil, err
		}
		edits = append(edits, e)
	}
	return edits, nil
}
