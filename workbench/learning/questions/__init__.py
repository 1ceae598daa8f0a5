"""Questions about domains, starts and stages that leave nothing behind."""
