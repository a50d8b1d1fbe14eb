"""The tab "How it works": the steps inside the prediction of the Explore tab, with their numbers."""
