package console

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"buf.build/go/protovalidate"
	"go.yaml.in/yaml/v3"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/queryparams"
	"imageflow.dev/internal/rules"
	"imageflow.dev/internal/triggers"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// The names that the manifests use.
const (
	namespace     = "image-processing"
	brokerName    = "default"
	bridgeService = "bridge"
	completedPath = "/completed"
)

// trigger is a Knative Trigger in YAML.
type trigger struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct {
		Name, Namespace string
		Annotations     map[string]string
	}
	Spec struct {
		Broker     string
		Filters    []triggerFilter `yaml:",omitempty"`
		Subscriber struct {
			Ref struct {
				APIVersion string `yaml:"apiVersion"`
				Kind, Name string
			}
			URI string
		}
	}
}

// triggerFilter is a filter of a Trigger.
type triggerFilter struct {
	Exact  map[string]string `yaml:",omitempty"`
	Prefix map[string]string `yaml:",omitempty"`
	Not    *triggerFilter    `yaml:",omitempty"`
}

func newTrigger(name, about, service, uri string, filters ...triggerFilter) trigger {
	t := trigger{APIVersion: "eventing.knative.dev/v1", Kind: "Trigger"}
	t.Metadata.Name, t.Metadata.Namespace = name, namespace
	t.Metadata.Annotations = map[string]string{triggers.DescriptionAnnotation: about}
	t.Spec.Broker, t.Spec.Filters = brokerName, filters
	ref := &t.Spec.Subscriber.Ref
	ref.APIVersion, ref.Kind, ref.Name = "serving.knative.dev/v1", "Service", service
	t.Spec.Subscriber.URI = uri
	return t
}

// yamlText returns values as the documents of a YAML file.
func yamlText(documents ...any) (string, error) {
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	for _, d := range documents {
		if err := encoder.Encode(d); err != nil {
			return "", err
		}
	}
	return b.String(), encoder.Close()
}

// stepURI returns the path and the query by which a Trigger gives a step its parameters.
func stepURI(parameters url.Values) string {
	if len(parameters) == 0 {
		return "/"
	}
	return "/?" + parameters.Encode()
}

// subjectPrefix returns the prefix of an event's subject as filters see it, percent-encoded as in HTTP headers.
func subjectPrefix(prefix string) string {
	h := http.Header{"Ce-Subject": {httpevent.Attribute(prefix)}}
	httpevent.Encode(h)
	return h.Get("Ce-Subject")
}

// chainStep is a step of a chain of Triggers.
type chainStep struct {
	processor  processors.Info
	parameters url.Values
	variant    string // of its output: its own, or inherited; empty if there is none
}

// chain returns the steps as Triggers need them: the last one names the format of its output, and a step that would write
// the name of an earlier one has a variant.
func (b *bench) chain() (steps []chainStep, err error) {
	variant, taken := "", map[string]bool{}
	for i, s := range b.Steps {
		if _, problems := s.read(); len(problems) > 0 {
			return nil, fmt.Errorf("step %d, %s: %s", i+1, s.Processor.Name, problems[0])
		}
		step := chainStep{processor: s.Processor, parameters: maps.Clone(s.Parameters)}
		own := step.parameters.Get("variant")
		variant = cmp.Or(own, variant)
		switch name := s.Processor.Name + "-" + variant; {
		case taken[name] && own != "":
			return nil, fmt.Errorf("step %d, %s: variant: an earlier step has %q, too", i+1, s.Processor.Name, own)
		case taken[name]:
			variant = "step-" + strconv.Itoa(i+1)
			step.parameters.Set("variant", variant)
		}
		taken[s.Processor.Name+"-"+variant] = true
		if step.variant = variant; i == len(b.Steps)-1 && b.OutputType != "" {
			step.parameters.Set(outputType, b.OutputType)
		}
		if err := queryparams.CheckQuery(step.parameters.Encode()); err != nil {
			return nil, fmt.Errorf("step %d, %s: %w", i+1, s.Processor.Name, err)
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// after selects the events of a step, among those of all steps of the same processor.
func after(step chainStep, all []chainStep) []triggerFilter {
	exact := map[string]string{"type": events.StepCompletedType(step.processor.Name)}
	if step.variant != "" {
		exact[string(events.VariantOf)] = step.variant
		return []triggerFilter{{Exact: exact}}
	}
	filters := []triggerFilter{{Exact: exact}}
	for _, other := range all {
		if other.processor.Name == step.processor.Name && other.variant != "" {
			not := triggerFilter{Exact: map[string]string{string(events.VariantOf): other.variant}}
			filters = append(filters, triggerFilter{Not: &not})
		}
	}
	return filters
}

// triggers returns the steps as a chain for the uploads below the prefix.
func (b *bench) triggers() ([]trigger, error) {
	name, prefix := b.triggerNames()
	if !rules.IsName(name) {
		return nil, fmt.Errorf("name: %.40q has not the form %s", name, rules.NameForm)
	}
	key := &imageflowv1.ImageData{ObjectKey: prefix + "x"}
	if err := protovalidate.Validate(key); err != nil || !strings.HasSuffix(prefix, "/") {
		return nil, fmt.Errorf("prefix: %.40q is no start of keys that ends with a slash", prefix)
	}
	steps, err := b.chain()
	if err != nil {
		return nil, err
	}
	if len(steps) == 0 {
		return nil, errors.New("there is no step")
	}
	below := map[string]string{"subject": subjectPrefix(prefix)}
	filters := []triggerFilter{{Prefix: map[string]string{"type": events.ObjectCreatedPrefix, "subject": below["subject"]}}}
	var all []trigger
	texts, last := triggers.Describer{Chain: name, Prefix: prefix}, ""
	for i, s := range steps {
		step := s.processor.Name
		all = append(all, newTrigger(fmt.Sprintf("%s-%d-%s", name, i+1, step), texts.Step(step, s.parameters.Encode(), last),
			s.processor.Host, stepURI(s.parameters), filters...))
		filters, last = append(after(s, steps), triggerFilter{Prefix: below}), step
	}
	return append(all, newTrigger(fmt.Sprintf("%s-%d-completed", name, len(steps)+1), texts.Completion(last),
		bridgeService, completedPath, filters...)), nil
}

// triggerNames returns the start of the Triggers' names and the prefix of their uploads.
func (b *bench) triggerNames() (name, prefix string) {
	name = cmp.Or(b.Name, "bench")
	return name, cmp.Or(b.Prefix, name+"/")
}

// triggerFile returns the chain as a file, which says first what else the Triggers in force do with its uploads.
func (b *bench) triggerFile(chains *imageflowv1.ListChainsResponse) (string, error) {
	all, err := b.triggers()
	if err != nil {
		return "", err
	}
	name, prefix := b.triggerNames()
	var documents []any
	for _, t := range all {
		documents = append(documents, t)
	}
	text, err := yamlText(documents...)
	return commented(fmt.Sprintf("The chain %s for the uploads whose keys begin with %s, from the bench of ImageFlow's console.\n%s",
		name, visible(prefix), b.exclusions(chains, all))) + text, err
}

// exclusions says which Triggers of other chains would get events of this chain.
func (b *bench) exclusions(chains *imageflowv1.ListChainsResponse, own []trigger) string {
	_, prefix := b.triggerNames()
	subject := subjectPrefix(prefix)
	names := b.others(chains, subject, own)
	text := "Triggers that select all uploads must exclude them, as those in eventing/chain.yaml do with other prefixes"
	switch {
	case chains == nil:
		return text + ".\nWhich Triggers are in force is not known."
	case len(names) == 0:
		return text + ".\nNone of those in force selects these uploads."
	}
	filter, err := yamlText([]triggerFilter{{Not: &triggerFilter{Prefix: map[string]string{"subject": subject}}}})
	if err != nil {
		return text
	}
	return text + ".\nOf those in force, these need one filter more: " + strings.Join(names, ", ") + "\n" + filter
}

// others returns the names of the Triggers of other chains that get the same events as the own ones.
func (b *bench) others(chains *imageflowv1.ListChainsResponse, subject string, own []trigger) (names []string) {
	types := []string{events.ObjectCreatedPrefix}
	for _, s := range b.Steps {
		types = append(types, events.StepCompletedType(s.Processor.Name))
	}
	for _, c := range chains.GetChains() {
		if c.GetBroker() != namespace+"/"+brokerName || !slices.ContainsFunc(c.GetSources(), selects(subject)) {
			continue
		}
		for _, edge := range c.GetEdges() {
			at := slices.IndexFunc(c.GetNodes(), func(n *imageflowv1.ChainNode) bool { return n.GetId() == edge.GetTo() })
			if at < 0 || !slices.ContainsFunc(types, isOf(edge.GetEventType())) {
				continue
			}
			n := c.GetNodes()[at]
			isOwn := slices.ContainsFunc(own, func(t trigger) bool { return t.Metadata.Name == n.GetTrigger() })
			isPart := n.GetKind() == imageflowv1.ChainNodeKind_CHAIN_NODE_KIND_STEP ||
				n.GetKind() == imageflowv1.ChainNodeKind_CHAIN_NODE_KIND_COMPLETION
			if isPart && !isOwn && edge.GetEventType() != "" && !slices.Contains(names, n.GetTrigger()) {
				names = append(names, n.GetTrigger())
			}
		}
	}
	return names
}

// isOf returns a function that reports whether one of two types of events is the other, or its start.
func isOf(eventType string) func(string) bool {
	return func(t string) bool { return strings.HasPrefix(t, eventType) || strings.HasPrefix(eventType, t) }
}

// selects returns a function that reports whether a source selects uploads whose subjects have a prefix.
func selects(prefix string) func(*imageflowv1.ChainSource) bool {
	return func(s *imageflowv1.ChainSource) bool {
		isExcluded := slices.ContainsFunc(s.GetExcludedPrefixes(), func(e string) bool { return strings.HasPrefix(prefix, e) })
		isWithin := strings.HasPrefix(prefix, s.GetPrefix()) || strings.HasPrefix(s.GetPrefix(), prefix)
		return !isExcluded && isWithin && (s.GetKey() == "" || strings.HasPrefix(s.GetKey(), prefix))
	}
}

// commented returns lines as comments of YAML.
func commented(text string) string {
	return "# " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n# ") + "\n"
}

// benchTriggers answers with the Triggers as a file.
func (s *Console) benchTriggers(w http.ResponseWriter, r *http.Request) {
	b := s.benchForm(r.URL.Query())
	chains, err := s.config.Executions.ListChains(r.Context(), &imageflowv1.ListChainsRequest{})
	if err != nil {
		chains = nil
	}
	text, err := b.triggerFile(chains)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	name, _ := b.triggerNames()
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.yaml"`)
	_, _ = w.Write([]byte(text))
}
