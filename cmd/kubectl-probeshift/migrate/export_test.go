package migrate

// Search looks for kustomizations in a repository, and says whether it saw all of it.
func Search(root string, left int) bool {
	k := newKustomizations()
	return k.search(root, nil, left)
}
