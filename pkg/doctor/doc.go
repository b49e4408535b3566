// Package doctor says whether the webhook is at work in a cluster and whether
// what it changes can work there. Facts go in, results come out: each check is a
// file with a pure function, and says what it looked at, its verdict and the
// remedy.
package doctor
