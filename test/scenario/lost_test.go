package scenario

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// sweeping is the environment of a bridge with short sweep times.
var sweeping = []string{"SWEEP_INTERVAL=500ms", "SWEEP_GRACE=3s", "SWEEP_RATE=1000"}

// TestLocalModeLosesNothing: the process is killed while images are put; its undelivered
// notifications are lost.
func TestLocalModeLosesNothing(t *testing.T) {
	s := local(t, setup{env: sweeping})
	var putting sync.WaitGroup
	putting.Go(func() { s.putColours(t, *crashImages) })
	for range 5 {
		time.Sleep(rand.N(time.Second))
		s.process.kill(t)
		s.restart()
	}
	putting.Wait()
	s.awaitCompleted(t, *crashImages)
	s.checkColours(t, *crashImages)
}

// TestSweeperFindsUnannouncedUploads: the bridge is down while images are put into a store that
// does not keep undelivered notifications.
func TestSweeperFindsUnannouncedUploads(t *testing.T) {
	d := deploy(t, setup{env: sweeping, forgetful: true})
	bridge := d.parts["bridge"]
	bridge.runs[0].kill(t)
	d.putColours(t, *crashImages)
	time.Sleep(time.Second) // until the store gives up
	bridge.restart(t)
	d.awaitCompleted(t, *crashImages)
	d.checkColours(t, *crashImages)
}
