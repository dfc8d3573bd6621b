"""Networks: how they learn, are trained, transferred and looked into."""
