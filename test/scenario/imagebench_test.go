package scenario

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"
)

// BenchmarkImages makes one request at a time, in turns, on a real MinIO: an image by a signed URL that is not there
// yet and the same resize by POST /v1/resize, in either order, the image again, a bare get of it by minio-go, and the
// image with its ETag. It reports the medians of their times, and the CPU time of gateway and resize. Run it with
// -races=false -benchtime=100x.
func BenchmarkImages(b *testing.B) {
	d := deploy(b, setup{forgetful: true})
	g := startImages(b, d, 800, "MINIO_ENDPOINT="+d.addresses["s3"]) // not through the proxy that counts
	m, spent, run := series{}, map[string]time.Duration{}, time.Now().UnixNano()
	measure := func(name string, f func() error) {
		before := cpu(b, g.process.cmd.Process.Pid) + cpu(b, g.resize.cmd.Process.Pid)
		m.add(name, m.time(b, f))
		spent[name] += cpu(b, g.process.cmd.Process.Pid) + cpu(b, g.resize.cmd.Process.Pid) - before
	}
	for i := range b.N {
		key := fmt.Sprintf("bench/%d-%d", run, i)
		g.place(b, key+".jpg", sample(b))
		link, etag := g.signed(key+".jpg", "preset=card"), ""
		get := func(status int, header ...string) func() error {
			return func() error {
				resp, body := fetch(b, "GET", link, header...)
				if etag = resp.Header.Get("ETag"); resp.StatusCode != status {
					return fmt.Errorf("%d %s", resp.StatusCode, body)
				}
				return nil
			}
		}
		body := fmt.Sprintf(`{"input_image":{"object_key":"%s.jpg"},"target_width":800,"execution_id":"posted/%s"}`, key, key)
		first := []func(){
			func() { measure("cold", get(http.StatusOK)) },
			func() { measure("POST /v1/resize", func() error { return g.resizes(b, body) }) },
		}
		first[i%2]() // since the first of them also opens the image
		first[1-i%2]()
		output := g.keys(b, key+"_resize-get-")[0]
		measure("warm", get(http.StatusOK))
		measure("bare get", func() error { return g.read(b, output) })
		measure("304", get(http.StatusNotModified, "If-None-Match", etag))
	}
	b.ReportMetric(0, "ns/op")
	for _, name := range []string{"cold", "POST /v1/resize", "warm", "bare get", "304"} {
		fmt.Printf("%-16s p50 %7.2f ms, p95 %7.2f ms, CPU %6.2f ms\n", name, m.at(name, 50), m.at(name, 95),
			milliseconds(spent[name])/float64(b.N))
	}
}

// resizes posts a request to /v1/resize.
func (g *imageGateway) resizes(b *testing.B, body string) error {
	header := map[string]string{"Authorization": "Bearer " + imageToken}
	resp, answer := post(b, http.DefaultClient, g.base+"/v1/resize", body, header)
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%d %s", resp.StatusCode, answer)
	}
	return nil
}

// read gets an object by minio-go.
func (g *imageGateway) read(b *testing.B, key string) error {
	o, err := g.s3.GetObject(b.Context(), bucket, key, minio.GetObjectOptions{})
	if err == nil {
		_, err = io.Copy(io.Discard, o)
	}
	return err
}

// imageClients is the number of requests in flight in BenchmarkImagesInParallel.
const imageClients = 8

// BenchmarkImagesInParallel measures requests per second, with imageClients in flight, in four rounds: images by signed
// URLs that are not there yet and the same resizes by POST /v1/resize, in either order, then the images again and bare
// gets of them by minio-go. Run it with -races=false -benchtime=100x.
func BenchmarkImagesInParallel(b *testing.B) {
	d := deploy(b, setup{forgetful: true})
	g := startImages(b, d, 800, "MINIO_ENDPOINT="+d.addresses["s3"])
	took := map[string]time.Duration{}
	const rounds = 4
	for round := range rounds {
		g.round(b, fmt.Sprintf("bench/%d-%d-", time.Now().UnixNano(), round), round%2 == 0, took)
	}
	b.ReportMetric(0, "ns/op")
	for _, name := range []string{"cold", "POST /v1/resize", "warm", "bare get"} {
		fmt.Printf("%-16s %7.1f requests/s\n", name, float64(rounds*b.N)/took[name].Seconds())
	}
}

// round adds the times of a round of BenchmarkImagesInParallel.
func (g *imageGateway) round(b *testing.B, prefix string, coldFirst bool, took map[string]time.Duration) {
	for i := range b.N {
		g.place(b, fmt.Sprint(prefix, i, ".jpg"), sample(b))
	}
	get := func(i int) error {
		resp, body := fetch(b, "GET", g.signed(fmt.Sprint(prefix, i, ".jpg"), "preset=card"))
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%d %s", resp.StatusCode, body)
		}
		return nil
	}
	request := `{"input_image":{"object_key":"%s%d.jpg"},"target_width":800,"execution_id":"posted/%[1]s%[2]d"}`
	steps := []func(){
		func() { took["cold"] += parallel(b, get) },
		func() {
			took["POST /v1/resize"] += parallel(b, func(i int) error { return g.resizes(b, fmt.Sprintf(request, prefix, i)) })
		},
	}
	if !coldFirst {
		slices.Reverse(steps)
	}
	for _, step := range steps {
		step()
	}
	took["warm"] += parallel(b, get)
	var outputs []string
	for _, key := range g.keys(b, prefix) {
		if strings.Contains(key, "_resize-get-") && !strings.HasSuffix(key, ".json") {
			outputs = append(outputs, key)
		}
	}
	took["bare get"] += parallel(b, func(i int) error { return g.read(b, outputs[i]) })
}

// parallel calls f for 0 to b.N-1, imageClients at a time, and returns the time that it took.
func parallel(b *testing.B, f func(i int) error) time.Duration {
	var all errgroup.Group
	all.SetLimit(imageClients)
	began := time.Now()
	for i := range b.N {
		all.Go(func() error { return f(i) })
	}
	if err := all.Wait(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}
