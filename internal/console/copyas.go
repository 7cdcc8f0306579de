package console

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/httpevent"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// copyText is a text that people copy, such as a command for a POSIX shell.
type copyText struct {
	Title, Text string
	// Note says what the text needs.
	Note string
}

// tokenVariable is the variable of the shell from which commands take the token. No page has the token itself.
const tokenVariable = "GATEWAY_TOKEN"

// shellQuote returns a text as one word of a POSIX shell.
func shellQuote(text string) string {
	isSafe := func(r rune) bool {
		return r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-./:=,@%+", r))
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !isSafe(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// bodyText returns a request as JSON. Characters that have no form, or turn the direction of writing, are escaped.
func bodyText(req proto.Message) string {
	var b strings.Builder
	for _, r := range jsonText(req) {
		if r == '\n' || !unicode.IsControl(r) && !unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// curlText returns the command that posts a request as JSON.
func curlText(address, body string, needsToken bool) string {
	text := "curl -sS "
	if needsToken {
		text += `-H "Authorization: Bearer $` + tokenVariable + `" `
	}
	return text + "--json " + shellQuote(body) + " \\\n  " + shellQuote(address)
}

// grpcurlText returns the command that calls a method, with its full name, of the server at a URL.
func grpcurlText(address, method, body string, needsToken bool) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	text, host := "grpcurl ", u.Host
	if u.Scheme != "https" {
		text += "-plaintext "
	}
	if u.Port() == "" {
		host += map[bool]string{true: ":443", false: ":80"}[u.Scheme == "https"]
	}
	if needsToken {
		text += `-H "authorization: Bearer $` + tokenVariable + `" `
	}
	return text + "-d " + shellQuote(body) + " \\\n  " + shellQuote(host) + " " + shellQuote(strings.TrimPrefix(method, "/"))
}

// eventText returns the command that posts an event, in binary mode.
func eventText(address string, e cloudevent.Event) (string, error) {
	r, err := httpevent.NewRequest(context.Background(), address, e)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "", err
	}
	text := "curl -sS -i "
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if strings.HasPrefix(name, "Ce-") || name == "Content-Type" {
			text += "-H " + shellQuote(name+": "+r.Header.Get(name)) + " \\\n  "
		}
	}
	return text + "--data-binary " + shellQuote(string(body)) + " \\\n  " + shellQuote(address), nil
}

// argoTemplate is a template of an Argo WorkflowTemplate that makes one call; see config/argo.
type argoTemplate struct {
	Name  string
	Retry argoRetry `yaml:"retryStrategy"`
	HTTP  struct {
		URL, Method string
		Headers     []argoHeader
		Body        string
	}
}

type argoRetry struct {
	Limit      string
	Policy     string `yaml:"retryPolicy"`
	Expression string
	Backoff    argoBackoff
}

type argoBackoff struct {
	Duration, Factor string
	Max              string `yaml:"maxDuration"`
}

// retryStrategy repeats what a repetition may help, as the workflows in config/argo do.
var retryStrategy = argoRetry{
	Limit: "4", Policy: "Always", Backoff: argoBackoff{Duration: "1s", Factor: "2", Max: "1m"},
	Expression: "!(lastRetry.message matches 'response code: (400|401|404|501)')",
}

type argoHeader struct {
	Name      string
	Value     string `yaml:",omitempty"`
	ValueFrom any    `yaml:"valueFrom,omitempty"`
}

// argoText returns a template for a workflow that has the gateway's address as its parameter `gateway`.
func argoText(name, path, body string, needsToken bool) (string, error) {
	t := argoTemplate{Name: name, Retry: retryStrategy}
	t.HTTP.URL, t.HTTP.Method = "{{workflow.parameters.gateway}}"+path, http.MethodPost
	t.HTTP.Headers = []argoHeader{{Name: "Content-Type", Value: "application/json"}}
	if needsToken {
		secret := map[string]map[string]string{"secretKeyRef": {"name": "gateway-token", "key": "token"}}
		t.HTTP.Headers = append(t.HTTP.Headers, argoHeader{Name: "Authorization", ValueFrom: secret})
	}
	t.HTTP.Body = strings.ReplaceAll(body, "{{", `\u007b\u007b`) // in JSON only in a text, where Argo would read a template
	return yamlText([]argoTemplate{t})
}

// knCopy returns the commands that create Triggers. kn has only exact filters, and no path for the name of a Service.
func knCopy(all ...trigger) copyText {
	var commands []string
	for _, t := range all {
		if slices.ContainsFunc(t.Spec.Filters, func(f triggerFilter) bool { return f.Not != nil }) {
			return copyText{"kn", "", "kn has only exact filters, without which " + t.Metadata.Name + " would get events of later " +
				"steps: apply the YAML."}
		}
		commands = append(commands, knText(t))
	}
	return copyText{"kn", strings.Join(commands, "\n"), "kn has only exact filters: this selects the uploads and outputs of all " +
		"folders. The YAML selects those of one."}
}

func knText(t trigger) string {
	text := "kn trigger create " + shellQuote(t.Metadata.Name) + " -n " + namespace + " --broker " + t.Spec.Broker
	for _, f := range t.Spec.Filters {
		for _, name := range slices.Sorted(maps.Keys(f.Exact)) {
			text += " \\\n  --filter " + shellQuote(name+"="+f.Exact[name])
		}
		if f.Prefix["type"] == events.ObjectCreatedPrefix {
			text += " \\\n  --filter type=" + events.ObjectCreatedPrefix + "Put"
		}
	}
	return text + " \\\n  --sink " + shellQuote(serviceURL(t.Spec.Subscriber.Ref.Name)+t.Spec.Subscriber.URI)
}

// serviceURL returns the address of a Knative Service in its cluster.
func serviceURL(service string) string {
	return "http://" + service + "." + namespace + ".svc.cluster.local"
}

// gatewayURL returns the address of the gateway for the person who sent a request: in local mode the one of the page.
func (s *Console) gatewayURL(r *http.Request) string {
	switch {
	case s.config.GatewayURL != "":
		return strings.TrimSuffix(s.config.GatewayURL, "/")
	case r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https":
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// callCopies returns the texts for a request at a path of the gateway. By gRPC it runs as a pipeline, which the gateway serves.
func (s *Console) callCopies(
	r *http.Request, name, path string, req proto.Message, pipeline *imageflowv1.RunPipelineRequest,
) []copyText {
	address, body, needsToken := s.gatewayURL(r), bodyText(req), s.config.Token != ""
	note := ""
	if needsToken {
		note = "The variable " + tokenVariable + " of the shell has the token."
	}
	all := []copyText{
		{"curl", curlText(address+path, body, needsToken), note},
		{"grpcurl", grpcurlText(address, imageflowv1.PipelineService_RunPipeline_FullMethodName, bodyText(pipeline), needsToken), note},
	}
	if text, err := argoText(name, path, body, needsToken); err == nil {
		all = append(all, copyText{"Argo step", text, "A template for a workflow whose parameter gateway is the gateway's address, " +
			"as in config/argo."})
	}
	return all
}

// eventCopy returns the text for an event that makes a step run; it has no text for an event that cannot be made.
func (s *Console) eventCopy(service, uri string, e *cloudevent.Event) []copyText {
	base, ok := s.config.ServiceURLs[service]
	if !ok {
		base = serviceURL(service)
	}
	text, err := eventText(base+uri, *e)
	if err != nil {
		return nil
	}
	return []copyText{{"CloudEvent", text, "Steps accept events without a signature only with ALLOW_UNSIGNED_EVENTS (local mode: " +
		"--allow-unsigned-events)."}}
}
