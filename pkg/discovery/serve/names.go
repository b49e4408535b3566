package serve

import (
	"sync"
	"sync/atomic"
	"time"

	cachetypes "github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/probeshift/probeshift/pkg/discovery/resource"
)

const (
	// gatherFor is for how long after a change of a Service more are waited for.
	// A rollout changes slices in bursts, and a slice that is split or merged is
	// two writes: what is in between is no state to act on.
	gatherFor = 50 * time.Millisecond
	// gatherAtMost bounds that, counted from the first change.
	gatherAtMost = 200 * time.Millisecond
	// vanishedAfter is how long is waited for what is missing, a Service, its last
	// slice or its port, before sidecars are told that there are no endpoints.
	// Tools that replace a Service delete it and create it again, and its slices
	// go and come with it; where a port gets another name, the slices follow a
	// moment after the Service.
	vanishedAfter = 2 * time.Second

	// maxVariants is how many names of one Service are told endpoints before a name
	// must be of a port and a zone that the Service or its slices know. Nothing else
	// says which zones there are, so that without a bound a client could have as
	// many copies made as it can invent. Names beyond it are told that there are no
	// endpoints, so that their sidecars work from DNS.
	maxVariants = 64
)

// names are what streams ask for, and the assignments that they are told. A name
// is held for as long as a stream that asked for it is open.
type names struct {
	cache   *cachev3.LinearCache
	watched interface {
		of(types.NamespacedName) (*corev1.Service, []*discoveryv1.EndpointSlice)
	}
	metrics *metrics
	now     func() time.Time

	mu       sync.Mutex
	byText   map[string]*name
	services map[types.NamespacedName]*service
	empty    int
	stopped  bool
}

// name is one name that is asked for.
type name struct {
	// text is the name as it was asked for, which is what the answer must be
	// called: a mark without a zone behind it is a name of its own to Envoy.
	text    string
	means   resource.Name
	service *service
	// streams is how many ask for it.
	streams int
	// known: some client has an answer for it. It must be told that there are no
	// endpoints any more; who never had one works from DNS.
	known bool
	// beyond: when it came, its Service had maxVariants names.
	beyond bool
	// version is of what is served, empty for nothing.
	version string
	empty   bool
	// missing is set from the moment in which what it means is missing; lost is
	// true once that has lasted.
	missing *time.Timer
	lost    bool
	// changedAt is when that was seen in the cluster, in nanoseconds since 1970;
	// 0 where no change led to it.
	changedAt atomic.Int64
}

// service is one Service that names are of, whether or not it exists.
type service struct {
	key   types.NamespacedName
	names map[string]*name
	// changed is when the first change was seen that has not been acted on, and
	// gathering the timer that will; both unset where there is none.
	changed   time.Time
	gathering *time.Timer
	// now is what its names mean since the last change; nil where that is to be
	// looked up.
	now *meanings
}

func newNames(w *watched, m *metrics, now func() time.Time) *names {
	return &names{
		cache:    cachev3.NewLinearCache(resourcev3.EndpointType),
		watched:  w,
		metrics:  m,
		now:      now,
		byText:   map[string]*name{},
		services: map[types.NamespacedName]*service{},
	}
}

// ask holds a name for a stream and sees to it that what there is to answer is in
// the cache. known says that the client has an answer already. The second result
// is whether there is one here.
func (n *names) ask(text string, means resource.Name, known bool) (*name, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	asked := n.byText[text]
	isNew := asked == nil
	if isNew {
		asked = n.add(text, means)
	}
	asked.streams++
	if isNew || known && !asked.known {
		asked.known = asked.known || known
		n.look(asked.service, time.Time{}, asked)
		n.measure()
	}
	return asked, asked.version != ""
}

// add makes a name known. The lock must be held.
func (n *names) add(text string, means resource.Name) *name {
	key := types.NamespacedName{Namespace: means.Namespace, Name: means.Service}
	of := n.services[key]
	if of == nil {
		of = &service{key: key, names: map[string]*name{}}
		n.services[key] = of
	}
	added := &name{text: text, means: means, service: of, beyond: len(of.names) >= maxVariants}
	of.names[text] = added
	n.byText[text] = added
	return added
}

// leave lets go of names that a stream asked for.
func (n *names) leave(left []*name) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var unused []string
	for _, l := range left {
		l.streams--
		if l.streams > 0 {
			continue
		}
		if l.version != "" {
			unused = append(unused, l.text)
		}
		if l.empty {
			n.empty--
		}
		l.found()
		delete(n.byText, l.text)
		delete(l.service.names, l.text)
		if len(l.service.names) == 0 {
			l.service.stop()
			delete(n.services, l.service.key)
		}
	}
	n.update(nil, unused)
	n.measure()
}

// changed takes note that something happened to a Service or its slices.
func (n *names) changed(key types.NamespacedName) {
	n.mu.Lock()
	defer n.mu.Unlock()
	of := n.services[key]
	if of == nil || n.stopped {
		return
	}
	of.now = nil
	now := n.now()
	if of.gathering == nil {
		of.changed = now
		of.gathering = time.AfterFunc(gatherFor, func() { n.gathered(of) })
		return
	}
	of.gathering.Reset(min(gatherFor, of.changed.Add(gatherAtMost).Sub(now)))
}

// gathered acts on the changes of a Service.
func (n *names) gathered(of *service) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if of.gathering == nil || n.stopped {
		return // acted on already: the timer was set again as it fired
	}
	at := of.changed
	of.gathering, of.changed = nil, time.Time{}
	n.look(of, at, all(of)...)
	n.measure()
}

// look tells names of a Service what they mean now. What is missing is given time
// to come back. The lock must be held.
func (n *names) look(of *service, at time.Time, tell ...*name) {
	if of.now == nil {
		of.now = newMeanings(n.watched.of(of.key))
	}
	different := map[string]cachetypes.Resource{}
	for _, name := range tell {
		means := of.now.of(name)
		switch {
		case !means.missing:
			name.found()
		case !name.lost:
			if name.missing == nil {
				name.missing = time.AfterFunc(vanishedAfter, func() { n.gone(name) })
			}
			continue
		}
		if content := n.tell(name, means, at); content != nil {
			different[name.text] = written(content)
		}
	}
	n.update(different, nil)
}

// gone tells a name that what it means has been missing for long enough.
func (n *names) gone(name *name) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if name.missing == nil || n.stopped {
		return
	}
	name.missing, name.lost = nil, true
	// It may be back already, and the news of it still on its way.
	name.service.now = nil
	n.look(name.service, n.now(), name)
	n.measure()
}

// tell returns what is to be sent under a name, nil where nothing is different.
func (n *names) tell(name *name, means meaning, at time.Time) []byte {
	if means.content == nil {
		if !name.known {
			return nil
		}
		means = name.service.now.empty
	}
	name.known = true
	content := means.under(name.text)
	version := cachev3.HashResource(content)
	if version == name.version {
		return nil
	}
	n.count(name, means.empty)
	name.version = version
	name.changedAt.Store(nanoseconds(at))
	return content
}

// count keeps the number of assignments without endpoints.
func (n *names) count(told *name, empty bool) {
	switch {
	case empty && !told.empty:
		n.empty++
	case !empty && told.empty:
		n.empty--
	}
	told.empty = empty
}

// update changes the cache, which sends what changed to whoever asks for it.
func (n *names) update(different map[string]cachetypes.Resource, unused []string) {
	if len(different) == 0 && len(unused) == 0 {
		return
	}
	// The only error there is would be of a resource that cannot be written, and
	// each has been written once before.
	_ = n.cache.UpdateResources(different, unused)
}

// measure sets the gauges. The lock must be held.
func (n *names) measure() {
	n.metrics.resources.Set(float64(n.cache.NumResources()))
	n.metrics.empty.Set(float64(n.empty))
}

// stop ends all timers; nothing is told after it.
func (n *names) stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stopped = true
	for _, of := range n.services {
		of.stop()
	}
}

// stop ends the timers of a Service that nobody asks for any more.
func (s *service) stop() {
	if s.gathering != nil {
		s.gathering.Stop()
		s.gathering = nil
	}
	for _, name := range s.names {
		name.found()
	}
}

// found takes note that what a name means is not missing.
func (n *name) found() {
	if n.missing != nil {
		n.missing.Stop()
	}
	n.missing, n.lost = nil, false
}

// all are the names of a Service.
func all(of *service) []*name {
	list := make([]*name, 0, len(of.names))
	for _, n := range of.names {
		list = append(list, n)
	}
	return list
}

func nanoseconds(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixNano()
}
