// Package console serves web pages on which people see images move through the chain, try the steps, and replay dead
// letters. It is a subscriber of the broker and a client of the gateway, and keeps nothing that the bucket or the broker
// does not: a restart loses only how the last minutes looked.
package console

import (
	"embed"
	"io/fs"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/signature"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

//go:embed templates static
var assets embed.FS

// Config configures a Console.
type Config struct {
	// Executions and Pipelines are the gateway's services.
	Executions imageflowv1.ExecutionServiceClient
	Pipelines  imageflowv1.PipelineServiceClient
	// Gateway sends requests to the gateway's JSON API. Their URLs have only a path and a query.
	Gateway http.RoundTripper
	Store   *objects.Store
	// Bucket is the bucket of the images, and UploadPrefix begins the keys of images that people upload.
	Bucket, UploadPrefix string
	// ReadFrom lists the buckets and prefixes whose images the pages show.
	ReadFrom objects.AllowList
	// MaxUploadBytes bounds one uploaded image.
	MaxUploadBytes int64
	// Signer verifies the events of the broker.
	Signer *signature.Signer
	// Token is what people must enter before they see anything; empty means nothing.
	Token string
	// TraceURL is the page of a trace, with {trace_id} in it; empty means that there is none.
	TraceURL string
	// GatewayURL is the gateway's address in the commands that people copy; empty means the address of the pages.
	GatewayURL string
	// ServiceURLs are the addresses of Services in those commands; others have the ones of a cluster.
	ServiceURLs map[string]string
	// CallTimeout bounds a call of the gateway's JSON API.
	CallTimeout time.Duration
	// MaxPages bounds the pages with live updates that are open at the same time.
	MaxPages int
	// Probes are the readiness URLs of roles that the gateway does not know, by name.
	Probes map[string]string
	// HealthPeriod is the time after which all roles are asked again while somebody looks at a page; 0 means that none is asked.
	HealthPeriod time.Duration
}

// EventsPath is the path for the events of the broker, which have signatures and need no token.
const EventsPath = "/console/events"

// livePath is the path of server-sent events.
const livePath = "/live"

// iconPath is where browsers look for the icon of an image that they show as a page.
const iconPath = "/favicon.ico"

// IsWatch reports whether a request lasts until its caller ends it.
func IsWatch(r *http.Request) bool { return r.URL.Path == livePath }

// Console is a handler of all pages. Close ends the requests of IsWatch.
type Console struct {
	config   Config
	feed     *feed
	replays  replays
	tried    triedImages
	pages    pages
	contract contract
	handler  http.Handler
	// chains is what the pages of chains show, which chainsAsked makes while they are open.
	chains      atomic.Pointer[chainPage]
	chainsAsked refresher
	// healthNow and deadLetters are what the strip shows.
	healthNow        atomic.Pointer[health]
	healthAsked      refresher
	deadLetters      atomic.Pointer[string]
	deadLettersAsked refresher
	roles            []roleProbe
	probes           probeLog
}

// New returns the pages of a system.
func New(c Config) (*Console, error) {
	pages, err := parsePages(assets)
	if err != nil {
		return nil, err
	}
	s := &Console{config: c, feed: newFeed(time.Now, c.MaxPages), pages: pages, contract: contract{gateway: c.Gateway}}
	s.roles = roleProbes(c)
	s.chainsAsked = refresher{period: pollEvery, limit: chainLimit, make: s.drawChains}
	s.healthAsked = refresher{period: c.HealthPeriod, limit: healthLimit, make: s.askHealth}
	s.deadLettersAsked = refresher{period: deadLetterPeriods * c.HealthPeriod, limit: deadLetterLimit, make: s.countDeadLetters}
	static, err := fs.Sub(assets, "static")
	if err != nil {
		return nil, err
	}
	s.handler = s.secure(s.mux(s.routes(static)))
	return s, nil
}

// ServeHTTP answers with a page, or takes an event of the broker.
func (s *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && r.URL.Path == EventsPath {
		s.receive(w, r)
		return
	}
	s.handler.ServeHTTP(w, r)
}

// Close ends the live updates of all pages.
func (s *Console) Close() { s.feed.close() }

// route is what a page does for a method. GET includes HEAD.
type route struct {
	method, pattern string
	handle          http.HandlerFunc
}

func (s *Console) routes(static fs.FS) []route {
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		{get, "/static/", http.StripPrefix("/static/", cached(http.FileServerFS(static))).ServeHTTP},
		{get, iconPath, http.RedirectHandler("/static/icon.svg", http.StatusMovedPermanently).ServeHTTP},
		{get, "/{$}", s.try}, {post, "/upload", s.upload},
		{get, "/executions", s.executions}, {get, "/execution", s.execution}, {get, answerPath, s.answer},
		{get, "/chain", s.chain}, {get, "/health", s.healthPage}, {get, "/object", s.object}, {get, livePath, s.live},
		{get, deadLettersPath, s.deadLetterPage}, {post, replayPath, s.replay}, {get, requestedPath, s.requested},
		{get, modelsPath, s.models}, {get, modelPath, s.model}, {get, triedPath, s.triedObject},
		{post, modelPath + "/trial", s.trialModel}, {post, modelPath + "/try", s.tryModel},
		{get, "/bench", s.bench}, {post, "/bench", s.editBench}, {post, "/bench/image", s.benchImage},
		{get, "/bench/triggers.yaml", s.benchTriggers},
		{get, "/login", s.login}, {post, "/login", s.logIn},
	}
}

// mux returns a handler of the routes. It answers other methods with 405 and those of the page, and other paths with 404.
func (s *Console) mux(routes []route) *http.ServeMux {
	mux, allowed := http.NewServeMux(), map[string][]string{}
	for _, page := range routes {
		mux.HandleFunc(page.method+" "+page.pattern, page.handle)
		allowed[page.pattern] = append(allowed[page.pattern], page.method)
		if page.method == http.MethodGet {
			allowed[page.pattern] = append(allowed[page.pattern], http.MethodHead)
		}
	}
	for pattern, methods := range allowed {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			s.fail(w, r, http.StatusMethodNotAllowed, "This page does not support the method "+r.Method+".")
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, http.StatusNotFound, "There is no such page.")
	})
	return mux
}

// cached lets browsers keep static files for a minute, after which they ask whether these have changed.
func cached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "private, max-age=60")
		next.ServeHTTP(w, r)
	})
}
