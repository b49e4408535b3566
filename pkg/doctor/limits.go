package doctor

// Limits is what no check can see: a label on a namespace accepts it. README's
// section "What no manifest shows" says more of each.
func Limits() []string {
	return []string{
		"A server that declares its port and yet listens on loopback alone: its exec probe passes, its native one fails.",
		"A program that is not in the image: the kubelet throws such results away, so its native form is the first real probe.",
		"Anything between node and Pod: security groups for Pods, host firewalls, host policies.",
		"A server that judges its peer, :authority or user-agent.",
		"With TLS probes: a tool older than v0.4.35, which does not insist on ALPN.",
	}
}
