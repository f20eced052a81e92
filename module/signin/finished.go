package signin

import "github.com/maypok86/otter/v2"

// maxFinished bounds of how many sign-ins it is known where they led.
const maxFinished = 4096

// finished knows where sign-ins led that are over: people press a button twice,
// or go back and press it again, and are then sent where they are already.
type finished struct {
	led *otter.Cache[finishedFlow, string]
}

// finishedFlow is a flow in the browser that it belongs to: where somebody was
// going is told to nobody else.
type finishedFlow struct{ device, flow string }

func newFinished() finished {
	return finished{otter.Must(&otter.Options[finishedFlow, string]{MaximumSize: maxFinished})}
}

// finish notes that the person of a flow has been let on, and that it waits for
// nothing any more.
func (x *exchange) finish(f *flow) {
	x.flows.clear(x, f.id)
	x.sending.end(f)
	x.finishedAt(f.id, f.ReturnTo)
}

// finishedAt notes where a flow has led.
func (x *exchange) finishedAt(flow, returnTo string) {
	if device := x.devices.read(x); device != nil {
		x.finished.led.Set(finishedFlow{device.ID, flow}, returnTo)
	}
}

// finishedTo is where the flow led that the request names, if it led anywhere in
// this browser.
func (x *exchange) finishedTo() (returnTo string, ok bool) {
	device := x.devices.read(x)
	if device == nil {
		return "", false
	}
	return x.finished.led.GetIfPresent(finishedFlow{device.ID, x.namedFlow()})
}
