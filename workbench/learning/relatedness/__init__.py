"""How related two domains are: the cohesion domain of deep transfer learning on micro datasets."""
