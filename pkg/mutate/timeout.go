package mutate

import "time"

/*
The exec probe fails after its budget (connect-timeout and rpc-timeout together,
or a timeout wrapper) or after the probe's own timeoutSeconds, whichever comes
first. The native probe has one deadline for dialling and calling together. So
the new value is the smaller of both, the budget rounded up to a whole second:
every run that was in time before is in time after, and the probe as a whole is
at most one second longer.
*/

// nativeTimeout returns the native probe's timeoutSeconds. A timeout below 1 is
// left as it is, since the API server has not defaulted it yet.
func nativeTimeout(timeoutSeconds int32, budget time.Duration) int32 {
	seconds := int64(budget / time.Second)
	if budget%time.Second > 0 {
		seconds++
	}
	if timeoutSeconds < 1 || int64(timeoutSeconds) <= seconds {
		return timeoutSeconds
	}
	return int32(seconds)
}
