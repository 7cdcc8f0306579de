package scenario

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// callerURL is the environment variable that makes the test binary a caller; see
// startPhotoCaller.
const callerURL = "SCENARIO_CALLER_URL"

// latencies are the latencies of the answers to one caller, and how many of them
// said that the server is busy.
type latencies struct {
	All  []time.Duration
	Busy int
}

// photoCaller is a well-behaved caller in a process of its own.
type photoCaller struct {
	cmd    *exec.Cmd
	stop   io.Closer
	output bytes.Buffer
}

// startPhotoCaller starts a caller that has a photo of 2 MP resized by the gateway, again
// and again.
func startPhotoCaller(t *testing.T, gateway string) *photoCaller {
	t.Helper()
	c := &photoCaller{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), callerURL+"="+gateway+"/v1/resize")
	c.cmd.Stdout, c.cmd.Stderr = &c.output, os.Stderr
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stop = stdin
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// end stops the caller and returns all latencies.
func (c *photoCaller) end(t *testing.T) (l latencies) {
	t.Helper()
	_ = c.stop.Close()
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("a well-behaved caller: %v %s", err, c.output.Bytes())
		return l
	}
	if err := json.Unmarshal(c.output.Bytes(), &l); err != nil {
		t.Error(err)
	}
	return l
}

// callFor returns the latencies of a caller in d.
func callFor(t *testing.T, gateway string, d time.Duration) latencies {
	t.Helper()
	c := startPhotoCaller(t, gateway)
	time.Sleep(d)
	return c.end(t)
}

// call is the main function of a caller's process. It calls until its input ends,
// then it prints its latencies as JSON.
func call(url string) error {
	if err := setNice(0); err != nil { // unlike the attacker, which started it
		return err
	}
	photo, err := os.ReadFile(filepath.Join("..", "images", "sample.jpg"))
	if err != nil {
		return err
	}
	body := resizeBody(photo, "image/jpeg", 800)
	ended := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); close(ended) }()
	var l latencies
	for {
		select {
		case <-ended:
			return json.NewEncoder(os.Stdout).Encode(l)
		case <-time.After(5 * time.Millisecond):
		}
		began := time.Now()
		status, text, err := callOnce(url, body)
		switch {
		case err != nil:
			return err
		case status == http.StatusTooManyRequests:
			l.Busy++
		case status != http.StatusOK:
			return fmt.Errorf("%d %.200s", status, text)
		}
		l.All = append(l.All, time.Since(began))
	}
}

func callOnce(url, body string) (status int, text []byte, err error) {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+gatewayToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(resp.Body)
	return resp.StatusCode, text, err
}

// yieldCores gives this process, the attacker, the lowest priority: a real attacker does not run on
// the cores of the roles.
func yieldCores(t *testing.T) {
	t.Helper()
	if err := setNice(19); err != nil {
		t.Fatal(err)
	}
}

// setNice sets the niceness of this process: of all its threads, since later ones and
// child processes inherit it.
func setNice(nice int) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err == nil {
			err = syscall.Setpriority(syscall.PRIO_PROCESS, id, nice)
		}
		if err != nil && !errors.Is(err, syscall.ESRCH) { // the thread has ended
			return err
		}
	}
	return nil
}
